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

/** Debian's Python: its packages are not another one's. */
const python = (id: string): Client => ({ id, command: '/usr/bin/python3', args: [here(`${id}.py`)] });

/** In the order of the table. */
export const CLIENTS: readonly Client[] = [
  typescript('chromium'),
  typescript('firefox'),
  typescript('libwebrtc'),
  typescript('libdatachannel'),
  typescript('werift'),
  typescript('pion'),
  python('gstreamer'),
  // Its file's name must not be the library's.
  { ...python('aiortc_client'), id: 'aiortc' },
];

/** Not one of them: replays an offer that OBS Studio made, which is not installed here. */
export const OBS: Client = typescript('obs');
