// The node process: reads its configuration, runs a node, and ends with its parent or on a signal.

import { enableCompileCache } from 'node:module';
import { pino } from 'pino';
import { withSecrets } from '#routing/secrets.ts';
import { type NodeConfig, nodeConfigFrom } from './config.ts';

enableCompileCache();

const config = await readConfig();
const log = pino({ level: config.MERIDIAN_LOG_LEVEL, base: { node: config.nodeId } }, pino.destination(2));

// Only now, so that a wrong configuration is told before the heavy modules load.
const { startNode } = await import('./node.ts');

try {
  const node = await startNode(config, log);
  const stop = stopOnce(() => node.close());
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  // Started by another process of ours (the local world): its end is ours.
  process.once('disconnect', stop);
  process.send?.({ ready: node.nodeId });
} catch (error) {
  log.fatal({ err: error }, 'the node cannot start');
  process.exitCode = 1;
  process.disconnect?.();
}

async function readConfig(): Promise<NodeConfig> {
  try {
    return nodeConfigFrom(await withSecrets(process.env), process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

/** Closes once, then exits; a close that hangs is cut off. */
function stopOnce(close: () => Promise<void>): () => void {
  let stopping = false;
  return () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), 5_000).unref();
    close().finally(() => process.exit());
  };
}
