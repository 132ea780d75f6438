// A node's real mediasoup worker for tests, and a publisher's tracks on it.

import { pino } from 'pino';
import { HUB_CODECS } from '#media-fleet/codecs.ts';
import { type MediaWorker, Workers } from '#media-fleet/workers.ts';

export const silent = pino({ level: 'silent' });

/** Workers on any free ports of the loopback, under addresses that can be told apart. */
export const startWorkers = ({ count = 1, publicAddress = '203.0.113.7' } = {}): Promise<Workers> =>
  Workers.start({
    count,
    listenAddress: '127.0.0.1',
    publicAddress,
    crossingAddress: publicAddress,
    privateAddress: '127.0.0.1',
    firstPort: 0,
    legPorts: { min: 20_000, max: 59_999 },
    iceConsent: 10_000,
    log: silent,
  });

export interface Hub {
  media: MediaWorker;
  router: Awaited<ReturnType<Workers['createRouter']>>;
}

export async function openHub(workers: Workers): Promise<Hub> {
  const media = workers.pick();
  return { media, router: await workers.createRouter(media, HUB_CODECS) };
}
