// The end of an instance: its group waits in a hook until the node is drained, and is told when that is so.

import { AutoScalingClient, CompleteLifecycleActionCommand } from '@aws-sdk/client-auto-scaling';

/** The hook of every group of nodes (infra/fleet.ts). */
export const DRAIN_HOOK = 'drain';

/** @throws Error when Auto Scaling does not take it: the hook then ends by its own time-out. */
export async function completeDrain(
  client: AutoScalingClient,
  { fleet, instanceId }: { fleet: string; instanceId: string },
): Promise<void> {
  await client.send(
    new CompleteLifecycleActionCommand({
      AutoScalingGroupName: fleet,
      LifecycleHookName: DRAIN_HOOK,
      InstanceId: instanceId,
      LifecycleActionResult: 'CONTINUE',
    }),
  );
}

export const autoScalingClient = (region: string): AutoScalingClient => new AutoScalingClient({ region });
