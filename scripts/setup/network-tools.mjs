// @ts-check
// The commands with which tests make hosts of their own (local/hosts.ts) and the WAN between them (local/wan.py): only
// root can, and only root needs them.
import fs from 'node:fs';
import { ensureDebianPackages } from './debian-packages.mjs';

const COMMANDS = ['ip', 'unshare', 'nsenter', 'python3'];

/** @type {import('../setup.mjs').Step} */
export const networkTools = {
  isReady: () => process.getuid?.() !== 0 || COMMANDS.every(isInstalled),
  make: () =>
    ensureDebianPackages(['iproute2', 'util-linux', 'python3'], {
      purpose: 'to run the tests of nodes on hosts of their own',
      otherwise: `Or put ${COMMANDS.join(', ')} on the PATH.`,
    }),
};

/** @param {string} command */
const isInstalled = (command) =>
  (process.env.PATH ?? '').split(':').some((directory) => fs.existsSync(`${directory}/${command}`));
