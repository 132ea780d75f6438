// The run's side of a client's process: what is awaited of it, how it fails, and how it ends.

import { afterEach, describe, expect, it } from 'vitest';
import { ClientProcess } from '#interop/child.ts';
import type { Message, Sending } from '#interop/messages.ts';

const WITHIN = 10_000;

const running: ClientProcess[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

function client(script: string): ClientProcess {
  const one = new ClientProcess({ command: process.execPath, args: ['-e', script] }, []);
  running.push(one);
  return one;
}

const say = (what: Message): string => `console.log(${JSON.stringify(JSON.stringify(what))});`;
/** Until its stdin ends. */
const STAYS = 'process.stdin.resume();';
const sending = (packets: number): Sending => ({ is: 'sending', packets });
const hasBegun = (what: Message): what is Sending => what.is === 'sending' && what.packets > 1;

describe('until', () => {
  it('resolves with the first message that is wanted, past what libraries print', async () => {
    const one = client(`${say(sending(1))} console.log('a library’s word'); ${say(sending(2))} ${STAYS}`);
    expect(await one.until(hasBegun, WITHIN)).toEqual(sending(2));
  });

  it('rejects with the reason that the client gives', async () => {
    const one = client(`${say({ is: 'failed', why: 'no camera' })} ${STAYS}`);
    await expect(one.until(hasBegun, WITHIN)).rejects.toThrow('no camera');
  });

  it('rejects with what stands on stderr when the client ends without a word', async () => {
    const one = client(`console.error('out of memory'); process.exitCode = 3`);
    await expect(one.until(hasBegun, WITHIN)).rejects.toThrow(/exit code 3\): out of memory/);
  });

  it('rejects when the client ends before the message, not only after its time', async () => {
    const one = client(say(sending(1)));
    await expect(one.until(hasBegun, WITHIN)).rejects.toThrow('the client ended');
  });

  it('rejects with the last word when the time is over', async () => {
    const one = client(`${say(sending(1))} ${STAYS}`);
    await one.until((what): what is Sending => what.is === 'sending', WITHIN);
    await expect(one.until(hasBegun, 1)).rejects.toThrow(/its last word: .*"packets":1/);
  });

  it('takes a line that is no message of ours as a failure', async () => {
    const one = client(`console.log('{"is":"sending","packets":"many"}'); ${STAYS}`);
    await expect(one.until(hasBegun, WITHIN)).rejects.toThrow(/it said .*many/);
  });

  it('says which program cannot be run', async () => {
    const one = new ClientProcess({ command: '/no/such/program', args: [] }, []);
    await expect(one.until(hasBegun, WITHIN)).rejects.toThrow('cannot run /no/such/program');
  });
});

describe('stop', () => {
  it('lets the client end by itself, and may be called again', async () => {
    const one = client(`process.stdin.on('end', () => ${say(sending(7)).replace(';', '')}); ${STAYS}`);
    await one.stop();
    expect(one.hasEnded).toBe(true);
    expect(one.last).toEqual(sending(7));
    await one.stop();
  });
});
