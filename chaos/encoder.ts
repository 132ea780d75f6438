// An encoder's process: publishes small pictures and, as encoders do, publishes again whenever its session is lost.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { Publisher } from '#test/media/libwebrtc.ts';
import { type Order, order, type Place, type Report } from './encoder-messages.ts';
import { Random } from './random.ts';

/** Small, so that many can be decoded on one machine. */
const PICTURE = { width: 160, height: 90 };
/** Before it publishes again, in ms. */
const BACKOFF = { least: 300, most: 1_000 };

/** ms without a byte from the node after which it is gone: reports come each second while there is media, STUN each 2.5 s. */
const SILENCE = { withMedia: 3_000, withoutMedia: 10_000 };
const LOOK = 500;

type Move = Extract<Order, { do: 'move' }>;

const say = (what: Report): void => {
  process.send?.(what);
};

let random = new Random(0);
let silent = false;
let session: Publisher | undefined;
let move: Move | undefined;
let wake = Promise.withResolvers<void>();

process.on('message', (message: unknown) => {
  const told = order.parse(message);
  if (told.do === 'publish') {
    random = new Random(told.seed);
    void publish(told.places, told.token);
  } else if (told.do === 'silence') {
    silent = told.silent;
    if (session) session.silent = silent;
  } else {
    move = told;
    wake.resolve();
  }
});
// However the run ended, its encoders end with it.
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => void leave());
say({ is: 'ready' });

async function leave(): Promise<void> {
  await session?.stop().catch(() => undefined);
  // libwebrtc keeps threads that would keep the process.
  process.exit();
}

async function publish(places: readonly Place[], token: string): Promise<void> {
  let [place] = places;
  let from: Publisher | undefined;
  while (place !== undefined) {
    const { region, url } = place;
    try {
      session = await Publisher.start({ url, token, audio: false, ...PICTURE });
      session.silent = silent;
      // The one before it: the same token's newer session takes the stream over.
      from?.vanish();
      from = undefined;
      say({ is: 'connected', region });
      const why = await endOf(session);
      if (why === 'move') {
        if (move?.how === 'delete') await session.stop().catch(() => undefined);
        else from = session;
      } else {
        session.vanish();
        say({ is: 'lost', region, why });
      }
    } catch (error) {
      say({ is: 'refused', region, why: error instanceof Error ? error.message : String(error) });
    }
    if (move) {
      place = move.to;
      move = undefined;
      wake = Promise.withResolvers();
      continue;
    }
    from?.vanish();
    from = undefined;
    await sleep(random.integer(BACKOFF.least, BACKOFF.most));
    const elsewhere: Place[] = places.filter((other) => other.region !== region);
    place = random.pick(elsewhere) ?? place;
  }
}

/**
 * Resolves when the session is over for its encoder: the connection says so, or nothing comes back from the node, not
 * even a receiver report. (libwebrtc itself was seen to take 17 to 108 s to call such a connection failed.)
 */
async function endOf({ connection }: Publisher): Promise<string> {
  const over = Promise.withResolvers<string>();
  const look = () => {
    if (['disconnected', 'failed', 'closed'].includes(connection.connectionState))
      over.resolve(connection.connectionState);
  };
  connection.onconnectionstatechange = look;
  look();
  let [received, heardAt] = [0, performance.now()];
  const timer = setInterval(async () => {
    const now = await bytesBack(connection).catch(() => 0);
    if (now !== received) heardAt = performance.now();
    received = now;
    if (performance.now() - heardAt > (silent ? SILENCE.withoutMedia : SILENCE.withMedia))
      over.resolve('nothing comes back');
  }, LOOK);
  try {
    return await Promise.race([over.promise, wake.promise.then(() => 'move')]);
  } finally {
    clearInterval(timer);
  }
}

const pair = z.object({
  type: z.literal('candidate-pair'),
  bytesReceived: z.number(),
  responsesReceived: z.number(),
});

/** What has come from the node, in bytes and STUN responses. */
async function bytesBack(connection: Publisher['connection']): Promise<number> {
  let sum = 0;
  for (const stat of (await connection.getStats()).values()) {
    const { data } = pair.safeParse(stat);
    if (data) sum += data.bytesReceived + data.responsesReceived;
  }
  return sum;
}

// Told nothing for so long: nobody will.
await once(process, 'message', { signal: AbortSignal.timeout(60_000) }).catch(() => process.exit(1));
