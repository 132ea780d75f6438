// A node's configuration, read once from its environment and command line.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { regionApis, secretKey, setVariables } from '#routing/environment.ts';
import { nodeId, regionId } from '#routing/names.ts';
import { nodeGroup } from '#routing/node-record.ts';
import { rateLimitsVariable } from '#routing/request-limits.ts';
import { type Timing, timingFrom } from '#routing/timing.ts';

const portRange = z
  .string()
  .regex(/^\d+-\d+$/, 'first-last, e.g. 40000-49999')
  .transform((text) => {
    const [min = 0, max = 0] = text.split('-').map(Number);
    return { min, max };
  })
  .refine(({ min, max }) => min >= 1024 && max <= 65_535 && min <= max, 'two ports, 1024 to 65535, in order');

const address = z.union([z.ipv4(), z.ipv6()], 'an IP address');

const environmentSchema = z.object({
  MERIDIAN_REGION: regionId,
  MERIDIAN_NODE_GROUP: nodeGroup,
  /** Workers to run; one per core unless said otherwise. */
  MERIDIAN_WORKERS: z.coerce.number().int().min(1).max(256).default(availableParallelism()),
  /** Where the control server listens. */
  MERIDIAN_CONTROL_ADDRESS: z.string().default('0.0.0.0'),
  MERIDIAN_CONTROL_PORT: z.coerce.number().int().min(0).max(65_535).default(7443),
  /** The address that functions and nodes of the region reach the control server at. */
  MERIDIAN_PRIVATE_ADDRESS: address,
  /** The address that viewers, publishers and nodes of other regions reach the media ports at. */
  MERIDIAN_PUBLIC_ADDRESS: address,
  /** Which of the two nodes of other regions reach the ports of legs at; `private` where the regions' networks are peered. */
  MERIDIAN_CROSSING_ADDRESS: z.enum(['public', 'private']).default('public'),
  /** The public one by IPv6, where the node has one. */
  MERIDIAN_PUBLIC_ADDRESS_V6: z.ipv6().optional(),
  /** Where the media sockets listen. */
  MERIDIAN_MEDIA_ADDRESS: z.string().default('0.0.0.0'),
  /** The first worker's UDP and TCP port; each further worker takes the next. 0: any free one. */
  MERIDIAN_MEDIA_PORT: z.coerce.number().int().min(0).max(65_535).default(7000),
  /** The UDP ports of legs. */
  MERIDIAN_LEG_PORTS: portRange.default({ min: 20_000, max: 26_999 }),
  /** Legs of one stream that a node feeds before it sends children elsewhere. */
  MERIDIAN_MAX_CHILDREN: z.coerce.number().int().min(1).max(1_000).default(32),
  /** Whether a redundant publisher takes its stream back from one of a lower priority once it is steady again. */
  MERIDIAN_FAILBACK: z.enum(['on', 'off']).default('on'),
  /** Sessions that the node admits; mediasoup's own figure is 200 to 300 viewers of a worker. */
  MERIDIAN_MAX_VIEWERS: z.coerce.number().int().min(0).optional(),
  MERIDIAN_MAX_PUBLISHERS: z.coerce.number().int().min(0).optional(),
  /** The share of its core at which the busiest worker takes no more sessions (Ant Media refuses at 75%). */
  MERIDIAN_CPU_LIMIT: z.coerce.number().min(0.05).max(1).default(0.85),
  MERIDIAN_RATE_LIMITS: rateLimitsVariable,
  /** `ec2`: addresses and the node's id come from the instance's metadata service, and so does the word to start and end. */
  MERIDIAN_INSTANCE_METADATA: z.enum(['none', 'ec2']).default('none'),
  /** The Auto Scaling Group that waits for this node's drain. */
  MERIDIAN_FLEET: z.string().min(1).optional(),
  MERIDIAN_CLUSTER_KEY: secretKey,
  MERIDIAN_STREAMS_TABLE: z.string().min(3),
  MERIDIAN_NODES_TABLE: z.string().min(3),
  /** Only where DynamoDB is not AWS's own. */
  MERIDIAN_DYNAMODB_ENDPOINT: z.url().optional(),
  MERIDIAN_REGIONS: regionApis,
  MERIDIAN_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

/** Where a node sends its viewers when it goes. */
const ownApi = ({ MERIDIAN_REGION, MERIDIAN_REGIONS }: z.infer<typeof environmentSchema>) =>
  MERIDIAN_REGIONS.find(({ id }) => id === MERIDIAN_REGION)?.api;

/**
 * Per worker, when the operator does not say. mediasoup's Scalability page gives some 500 consumers a worker: 250 viewers
 * of one audio and one video. A publisher costs less; it only receives.
 */
const VIEWERS_PER_WORKER = 250;
const PUBLISHERS_PER_WORKER = 100;

export type NodeConfig = z.infer<typeof environmentSchema> & {
  nodeId: string;
  timing: Timing;
  maxViewers: number;
  maxPublishers: number;
  /** The HTTP API of its own region. */
  regionApi: string;
};

/**
 * @param args the command line after the script: `--node-id ID`, so that a process list shows which node it is.
 * @throws Error naming every variable that is missing or wrong.
 */
export function nodeConfigFrom(environment: NodeJS.ProcessEnv, args: string[]): NodeConfig {
  const { values } = parseArgs({ args, options: { 'node-id': { type: 'string' } } });
  const id = nodeId.safeParse(values['node-id']);
  const parsed = environmentSchema.safeParse(setVariables(environment));
  const regionApi = parsed.success ? ownApi(parsed.data) : '';
  const wrong = [
    ...(regionApi === undefined ? ['MERIDIAN_REGIONS: does not contain MERIDIAN_REGION'] : []),
    ...(id.success ? [] : [`--node-id: ${id.error.issues[0]?.message ?? 'missing'}`]),
    ...(parsed.success
      ? []
      : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)),
  ];
  if (!id.success || !parsed.success || regionApi === undefined)
    throw new Error(`wrong configuration: ${wrong.join('; ')}`);
  const config = parsed.data;
  return {
    ...config,
    nodeId: id.data,
    regionApi,
    timing: timingFrom(environment),
    maxViewers: config.MERIDIAN_MAX_VIEWERS ?? VIEWERS_PER_WORKER * config.MERIDIAN_WORKERS,
    maxPublishers: config.MERIDIAN_MAX_PUBLISHERS ?? PUBLISHERS_PER_WORKER * config.MERIDIAN_WORKERS,
  };
}
