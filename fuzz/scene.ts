// What is fuzzed: the local world with a stream that is published and watched meanwhile, and one whose viewers need a token.

import { randomUUID } from 'node:crypto';
import { STREAMS_TABLE } from '#local/database.ts';
import { startWorld, type World } from '#local/world.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { type NewToken, signToken } from '#routing/tokens.ts';
import { eventually } from '#test/eventually.ts';
import { Publisher, Viewer } from '#test/media/libwebrtc.ts';
import { Client } from './client.ts';

export type Use = 'whip' | 'whep';

const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-1'] as const;

/** Milliseconds. Short, so that what nobody watches can be seen to go; long, where a machine with two cores is busy. */
const TIMINGS = {
  MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '3000',
  MERIDIAN_PUBLISHER_GRACE_MS: '3000',
  MERIDIAN_NODE_DEAD_AFTER_MS: '15000',
  MERIDIAN_CALL_MS: '15000',
};
/**
 * Of gateways and nodes: V8 lets a heap grow before it collects what is no more needed, and with little room it cannot.
 * So what grows is what is kept, and who keeps too much dies.
 */
const HEAP_LIMIT = '--max-old-space-size=64';
const TOKEN_LIFE = 86_400;
/** Of a stream to be live, in ms. */
const LIVE = 20_000;

export interface Scene {
  world: World;
  map: DynamoStreamMap;
  client: Client;
  /** A region's API. */
  api: (region: number) => string;
  /** Published in the first region and watched in the second, throughout. */
  stream: string;
  /** As live, and its viewers need a token. */
  closedStream: string;
  /** Of every publisher of `stream`: with it a session there is no other's. */
  token: string;
  tokenKey: Uint8Array;
  newStream: () => string;
  viewer: Viewer;
  /** Publishers and viewer leave. */
  empty: () => Promise<void>;
  close: () => Promise<void>;
}

export async function openScene(): Promise<Scene> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const world = await startWorld({
      regions: REGIONS,
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      // What ends by itself must be seen to be gone.
      restart: false,
      env: { ...TIMINGS, MERIDIAN_CPU_LIMIT: '1', NODE_OPTIONS: HEAP_LIMIT },
    });
    closers.push(() => world.close());
    const client = new Client();
    closers.push(() => client.close());
    const api = (region: number): string => {
      const found = world.regions[region];
      if (found === undefined) throw new Error(`there is no region ${region}`);
      return found.api;
    };
    const sign = (given: Partial<NewToken>) =>
      signToken(world.tokenKey, {
        jti: randomUUID(),
        aud: 'publish',
        stream: '*',
        expiresAt: Math.floor(Date.now() / 1000) + TOKEN_LIFE,
        ...given,
      });
    const [stream, closedStream] = ['fuzz-live', 'fuzz-closed'];
    const token = await sign({});
    const media = await Promise.all([
      Publisher.start({ url: `${api(0)}/whip/${stream}`, token }),
      Publisher.start({
        url: `${api(1)}/whip/${closedStream}`,
        token: await sign({ stream: closedStream, viewing: 'token' }),
        video: false,
      }),
    ]);
    closers.push(() => media.map((publisher) => publisher.vanish()));
    const map = new DynamoStreamMap(world.database(REGIONS[0]).documents, STREAMS_TABLE);
    const live = async (name: string) => (await map.read(name)).origins.length > 0;
    for (const name of [stream, closedStream]) await eventually(() => live(name), Boolean, LIVE);
    const viewer = await Viewer.start({ url: `${api(1)}/whep/${stream}` });
    closers.push(() => viewer.vanish());
    await viewer.watch(5);
    return {
      world,
      map,
      client,
      api,
      stream,
      closedStream,
      token,
      tokenKey: world.tokenKey,
      newStream: () => `fuzz-${randomUUID().slice(0, 8)}`,
      viewer,
      empty: async () => {
        await viewer.stop();
        await Promise.all(media.map((publisher) => publisher.stop()));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
