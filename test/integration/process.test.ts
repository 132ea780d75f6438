// `npm start` as a process: what it prints, what it refuses, and that nothing outlives it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { processTree } from '#bench/processes.ts';
import { listen } from '#local/listen.ts';
import { eventually } from './support.ts';

const readyLine = z.object({
  ready: z.literal(true),
  globalName: z.string(),
  dns: z.string().regex(/^127\.0\.0\.1:\d+$/),
  page: z.url(),
  publishToken: z.string(),
  apiSecret: z.string(),
  regions: z.array(z.object({ id: z.string(), api: z.url() })).length(3),
});

const ANY_PORTS = ['--page-port', '0', '--api-port', '0', '--global-port', '0', '--dns-port', '0'];

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

function start(args: string[]): ChildProcess & { lines: string[]; errors: () => string } {
  const child = spawn(process.execPath, ['local/main.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const lines: string[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return Object.assign(child, { lines, errors: () => errors });
}

const alive = (pids: number[]) =>
  pids.filter((pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });

async function readiness({ lines }: { lines: string[] }): Promise<z.infer<typeof readyLine>> {
  await eventually(
    () => lines.length,
    (count) => count > 0,
    40_000,
  );
  return readyLine.parse(JSON.parse(lines[0] ?? ''));
}

describe('npm start', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'prints one line of JSON, and %s leaves nothing behind',
    async (signal) => {
      const world = start(['--json', ...ANY_PORTS]);
      const { page, regions } = await readiness(world);
      expect((await fetch(page)).status).toBe(200);
      expect((await fetch(`${regions[2]?.api}/healthz`)).status).toBe(200);

      const [, ...processes] = await processTree(world.pid ?? 0);
      // Three gateways, nine nodes with a worker each.
      expect(processes).toHaveLength(21);
      expect(processes.some(({ command }) => command.includes('eu-west-1-edge-2'))).toBe(true);
      const exited = once(world, 'exit');
      world.kill(signal);
      await exited;
      await eventually(
        () => alive(processes.map(({ pid }) => pid)),
        (left) => left.length === 0,
      );
      expect(world.lines).toHaveLength(1);
    },
  );

  test('says that a gateway and a node ended, and starts them again', async () => {
    const world = start(['--json', ...ANY_PORTS]);
    const { regions } = await readiness(world);
    const healthz = () =>
      fetch(`${regions[1]?.api}/healthz`).then(
        ({ status }) => status,
        () => 'refused',
      );
    const processes = await processTree(world.pid ?? 0);
    for (const what of ['gateway/main.ts --region eu-west-1', '--node-id eu-west-1-origin-1']) {
      const found = processes.find(({ command }) => command.includes(what));
      if (found === undefined) throw new Error(`no process of ${what}`);
      process.kill(found.pid, 'SIGKILL');
    }
    await eventually(healthz, (status) => status === 'refused');
    // The region's only origin node: without it the region is not healthy.
    await eventually(healthz, (status) => status === 200);
    expect(world.errors()).toContain('the gateway of eu-west-1 ended (SIGKILL); starting it again');
    expect(world.errors()).toContain('node eu-west-1-origin-1 ended (SIGKILL); starting it again');
    const exited = once(world, 'exit');
    world.kill('SIGTERM');
    await exited;
  });

  test('says which port is taken, by which option to choose another, and exits with 1', async () => {
    const occupied = createServer();
    const port = await listen(occupied, { host: '127.0.0.1', port: 0, what: 'the test', option: '' });
    // Its first region's address under the global name.
    const global = createServer();
    await listen(global, { host: '127.1.0.1', port, what: 'the test', option: '' });
    for (const option of ['--page-port', '--api-port', '--global-port', '--dns-port']) {
      const args = [...ANY_PORTS];
      args[args.indexOf(option) + 1] = String(port);
      const world = start(args);
      const [code] = await once(world, 'exit');
      expect(code).toBe(1);
      expect(world.errors()).toMatch(new RegExp(`127\\.[01]\\.0\\.1:${port}`));
      expect(world.errors()).toContain(option);
      expect(world.errors()).not.toMatch(/\.ts:\d+/);
    }
    occupied.close();
    global.close();
  });

  test('refuses a port that is none', async () => {
    const world = start(['--page-port', 'eighty']);
    const [code] = await once(world, 'exit');
    expect(code).toBe(1);
    expect(world.errors()).toContain('--page-port eighty');
  });
});
