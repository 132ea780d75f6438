// The clients of the matrix: how each one's process is started.

import { fileURLToPath } from 'node:url';
import type { ClientCommand } from './child.ts';

export interface Client extends ClientCommand {
  id: string;
}

const here = (file: string) => fileURLToPath(new URL(`./clients/${file}`, import.meta.url));
const typescript = (id: string): Client => ({
  id,
  command: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', here(`${id}.ts`)],
});

/** In the order of the table. */
export const CLIENTS: readonly Client[] = ['chromium', 'libwebrtc'].map(typescript);
