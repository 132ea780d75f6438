// A Node process's live heap, asked of its inspector: what all garbage leaves. Resident memory says what V8 has found no
// reason to give back yet.

import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import * as z from 'zod';

/** For NODE_OPTIONS of a process whose heap is to be looked at: an inspector on any free port, of which only HTTP tells. */
export const INSPECTED = '--inspect=127.0.0.1:0 --inspect-publish-uid=http';

/** Milliseconds for a collection and its answer. */
const WITHIN = 30_000;

const targets = z.tuple([z.object({ webSocketDebuggerUrl: z.url() })]);
const answer = z.object({ id: z.number(), result: z.unknown() });
const usage = z.object({ usedSize: z.number(), backingStorageSize: z.number() });

/**
 * Bytes that are live in a process of this machine, buffers included.
 * @throws Error when its inspector is not there.
 */
export async function liveHeap(pid: number): Promise<number> {
  const socket = new WebSocket(await inspectorOf(pid));
  try {
    const signal = AbortSignal.timeout(WITHIN);
    await once(socket, 'open', { signal });
    await call(socket, { id: 1, method: 'HeapProfiler.collectGarbage' }, signal);
    const { usedSize, backingStorageSize } = usage.parse(
      await call(socket, { id: 2, method: 'Runtime.getHeapUsage' }, signal),
    );
    return usedSize + backingStorageSize;
  } finally {
    socket.close();
  }
}

/** One at a time. */
async function call(
  socket: WebSocket,
  request: { id: number; method: string },
  signal: AbortSignal,
): Promise<unknown> {
  socket.send(JSON.stringify(request));
  const [{ data }] = await once(socket, 'message', { signal });
  return answer.extend({ id: z.literal(request.id) }).parse(JSON.parse(String(data))).result;
}

async function inspectorOf(pid: number): Promise<string> {
  for (const port of await listeningPorts(pid)) {
    // Its other ports speak something else.
    const told = await fetch(`http://127.0.0.1:${port}/json/list`)
      .then((response) => response.json())
      .catch(() => undefined);
    const known = targets.safeParse(told);
    if (known.success) return known.data[0].webSocketDebuggerUrl;
  }
  throw new Error(`process ${pid} has no inspector`);
}

/** TCP ports at which a process listens by IPv4. */
async function listeningPorts(pid: number): Promise<number[]> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const files = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')),
  );
  const lines = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').slice(1);
  return lines.flatMap((line) => {
    // proc(5): number, local address and port, remote ones, state (0A: listening), …, inode.
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    const isOurs = state === '0A' && files.includes(`socket:[${inode}]`);
    return isOurs ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}
