// What Auto Scaling is told when a node serves, and when it is drained.

import { AutoScalingClient, CompleteLifecycleActionCommand } from '@aws-sdk/client-auto-scaling';
import { mockClient } from 'aws-sdk-client-mock';
import { expect, it } from 'vitest';
import { autoScalingClient, completeHook } from '#media-fleet/lifecycle.ts';

it.each(['launch', 'drain'] as const)('the hook %s of this instance goes on', async (hook) => {
  const autoScaling = mockClient(AutoScalingClient);
  autoScaling.on(CompleteLifecycleActionCommand).resolves({});
  await completeHook(autoScalingClient('eu-west-1'), { fleet: 'meridian-edge', instanceId: 'i-0abc', hook });
  expect(autoScaling.calls().map(({ args }) => args[0].input)).toEqual([
    {
      AutoScalingGroupName: 'meridian-edge',
      LifecycleHookName: hook,
      InstanceId: 'i-0abc',
      LifecycleActionResult: 'CONTINUE',
    },
  ]);
  autoScaling.restore();
});
