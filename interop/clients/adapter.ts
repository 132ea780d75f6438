// What every client's process here has in common: its arguments, its lines of JSON, and that it ends when its stdin does.

import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import {
  type About,
  type Codec,
  codec,
  type Form,
  form,
  type Message,
  type Sending,
  type Watching,
} from '../messages.ts';

export interface Publishing {
  sent(): Promise<Omit<Sending, 'is'>> | Omit<Sending, 'is'>;
  stop(): Promise<void>;
}

export interface Viewing {
  seen(): Promise<Omit<Watching, 'is'>> | Omit<Watching, 'is'>;
  stop(): Promise<void>;
}

export interface Adapter {
  /** @throws Missing when the client cannot run here. */
  about(): Promise<Omit<About, 'is' | 'lacks' | 'limits'> & Partial<Pick<About, 'lacks' | 'limits'>>>;
  publish?(url: string, token: string, as: Form): Promise<Publishing>;
  view?(url: string, codec: Codec): Promise<Viewing>;
}

/** Why a client cannot run here. */
export class Missing extends Error {}

/** Between two looks at how it goes, in ms. */
const LOOK = 200;

/** Runs `about`, `publish URL TOKEN FORM` or `view URL CODEC`, as the arguments say, and ends the process. */
export async function run(adapter: Adapter): Promise<never> {
  const [what = '', url = '', ...rest] = process.argv.slice(2);
  const over = new AbortController();
  const end = () => over.abort();
  process.stdin.resume().once('end', end).once('close', end);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    if (what === 'about') say({ is: 'about', lacks: {}, limits: [], ...(await adapter.about()) });
    else if (what === 'publish' && adapter.publish)
      await tellSent(await adapter.publish(url, rest[0] ?? '', form.parse(rest[1])), over.signal);
    else if (what === 'view' && adapter.view)
      await tellSeen(await adapter.view(url, codec.parse(rest[0])), over.signal);
    else throw new Error(`it cannot "${what}"; there are about, publish and view, where a client has them`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(error instanceof Missing ? { is: 'missing', why } : { is: 'failed', why });
    process.exitCode = 1;
  }
  // What is written to a pipe is written before this returns; WebRTC libraries keep threads that would keep the process.
  process.exit();
}

async function tellSent(session: Publishing, over: AbortSignal): Promise<void> {
  try {
    while (!over.aborted) {
      say({ is: 'sending', ...(await session.sent()) });
      await pause(over);
    }
  } finally {
    await session.stop();
  }
}

async function tellSeen(session: Viewing, over: AbortSignal): Promise<void> {
  try {
    while (!over.aborted) {
      say({ is: 'watching', ...(await session.seen()) });
      await pause(over);
    }
  } finally {
    await session.stop();
  }
}

/** An npm package's, also where its exports hide its package.json. */
export function versionOf(name: string): string {
  const file = findPackageJSON(name, import.meta.url);
  if (file === undefined) throw new Missing(`the npm package ${name} is not installed`);
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}

const pause = (signal: AbortSignal) => sleep(LOOK, undefined, { signal }).catch(() => undefined);

function say(what: Message): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}
