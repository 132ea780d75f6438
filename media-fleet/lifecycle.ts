// What an instance's Auto Scaling Group waits for: that its node serves, and that it is drained.

import { AutoScalingClient, CompleteLifecycleActionCommand } from '@aws-sdk/client-auto-scaling';
import type { LifecycleHook } from '#routing/names.ts';

export interface HookOptions {
  fleet: string;
  instanceId: string;
  hook: LifecycleHook;
}

/** @throws Error when Auto Scaling does not take it: no such wait, or no answer; the hook then ends by its own time-out. */
export async function completeHook(
  client: AutoScalingClient,
  { fleet, instanceId, hook }: HookOptions,
): Promise<void> {
  await client.send(
    new CompleteLifecycleActionCommand({
      AutoScalingGroupName: fleet,
      LifecycleHookName: hook,
      InstanceId: instanceId,
      LifecycleActionResult: 'CONTINUE',
    }),
  );
}

export const autoScalingClient = (region: string): AutoScalingClient => new AutoScalingClient({ region });
