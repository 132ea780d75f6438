// The node process: reads its configuration, runs a node, and ends with its parent, its instance, or on a signal.

import { enableCompileCache } from 'node:module';
import { pino } from 'pino';
import { allowFarConnections } from '#routing/far-connections.ts';
import type { LifecycleHook } from '#routing/names.ts';
import { withSecrets } from '#routing/secrets.ts';
import { type NodeConfig, nodeConfigFrom } from './config.ts';
import { Instance } from './instance.ts';
import type { RunningNode } from './node.ts';

enableCompileCache();
allowFarConnections();

/** Milliseconds for a node to close: what hangs by then is cut off. */
const CLOSE = 5_000;

const instance = process.env.MERIDIAN_INSTANCE_METADATA === 'ec2' ? new Instance() : undefined;
const config = await readConfig();
const log = pino({ level: config.MERIDIAN_LOG_LEVEL, base: { node: config.nodeId } }, pino.destination(2));
/** No more waiting: for the instance to be wanted, or for sessions to leave. */
const now = new AbortController();

// Only now, so that a wrong configuration is told before the heavy modules load.
const { startNode } = await import('./node.ts');

try {
  await instance?.inService(now.signal, () => void tellGroup('launch'));
  endWhenTold(await startNode(config, log));
  await tellGroup('launch');
  process.send?.({ ready: config.nodeId });
} catch (error) {
  log.fatal({ err: error }, 'the node cannot start');
  process.exitCode = 1;
  process.disconnect?.();
}

async function readConfig(): Promise<NodeConfig> {
  try {
    const args = process.argv.slice(2);
    const given = await withSecrets(process.env);
    if (instance === undefined) return nodeConfigFrom(given, args);
    const id = args.includes('--node-id') ? [] : ['--node-id', await instance.id()];
    return nodeConfigFrom({ ...given, ...(await instance.environment()) }, [...args, ...id]);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

/** SIGTERM, which is what systemd and the instance's end say, drains; all else, and a second SIGTERM, ends at once. */
function endWhenTold(node: RunningNode): void {
  let ending = false;
  const end = () => {
    if (ending) now.abort();
    else void endNode(node);
    ending = true;
  };
  const endNow = () => {
    now.abort();
    end();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', endNow);
  // Started by another process of ours (the local world): its end is ours.
  process.once('disconnect', endNow);
  instance?.terminated(now.signal).then(end, () => undefined);
}

async function endNode(node: RunningNode): Promise<void> {
  await node.drain(now.signal);
  setTimeout(() => process.exit(1), CLOSE).unref();
  await node.close();
  await tellGroup('drain');
  process.exit();
}

/** The group waits in its hook for this; without it, until the hook's time is over. */
async function tellGroup(hook: LifecycleHook): Promise<void> {
  const fleet = config.MERIDIAN_FLEET;
  if (instance === undefined || fleet === undefined) return;
  const { autoScalingClient, completeHook } = await import('./lifecycle.ts');
  try {
    await completeHook(autoScalingClient(config.MERIDIAN_REGION), { fleet, instanceId: config.nodeId, hook });
  } catch (error) {
    // A node that only starts again on its instance is not waited for.
    log.info({ err: error, hook }, 'the Auto Scaling Group did not take the word for its hook');
  }
}
