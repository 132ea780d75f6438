// What Auto Scaling is told when a node is drained.

import { AutoScalingClient, CompleteLifecycleActionCommand } from '@aws-sdk/client-auto-scaling';
import { mockClient } from 'aws-sdk-client-mock';
import { expect, it } from 'vitest';
import { autoScalingClient, completeDrain } from '#media-fleet/lifecycle.ts';

it('the hook of this instance goes on', async () => {
  const autoScaling = mockClient(AutoScalingClient);
  autoScaling.on(CompleteLifecycleActionCommand).resolves({});
  await completeDrain(autoScalingClient('eu-west-1'), { fleet: 'meridian-edge', instanceId: 'i-0abc' });
  expect(autoScaling.calls().map(({ args }) => args[0].input)).toEqual([
    {
      AutoScalingGroupName: 'meridian-edge',
      LifecycleHookName: 'drain',
      InstanceId: 'i-0abc',
      LifecycleActionResult: 'CONTINUE',
    },
  ]);
  autoScaling.restore();
});
