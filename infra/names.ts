// Names that are the same in every region, so that no stack needs an output of another one.

export const STREAMS_TABLE = 'meridian-streams';
export const CONTROL_TABLE = 'meridian-control';
export const NODES_TABLE = 'meridian-nodes';

/** In Secrets Manager, replicated to every region. */
export const SECRETS = {
  clusterKey: 'meridian/cluster-key',
  tokenKey: 'meridian/token-key',
  sessionKey: 'meridian/session-key',
} as const;

/** How a variable refers to a secret (routing/secrets.ts). */
export const secretReference = (name: string): string => `secretsmanager:${name}`;

/**
 * What IAM calls a secret: its name and six random characters.
 * @param region where it is read.
 */
export const secretArn = (account: string, region: string, name: string): string =>
  `arn:aws:secretsmanager:${region}:${account}:secret:${name}-??????`;

/** The Auto Scaling Group of one group of nodes. */
export const fleetName = (group: string): string => `meridian-${group}`;
