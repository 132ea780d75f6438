// One group of a region's nodes: an Auto Scaling Group, what its instances start, and what they may do.

import { readFileSync } from 'node:fs';
import { Duration, Tags } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { LifecycleHook } from '#routing/names.ts';
import type { NodeGroup } from '#routing/node-record.ts';
import { architectureOf, type NodeArchives, nodeArtifact } from './artifact.ts';
import { justify } from './checks.ts';
import type { FleetConfig } from './config.ts';
import { fleetName } from './names.ts';
import type { Network } from './network.ts';

export interface FleetProps {
  group: NodeGroup;
  config: FleetConfig;
  network: Network;
  role: iam.IRole;
  archives: NodeArchives;
  /** For /etc/meridian.env. */
  environment: Record<string, string>;
  /** Milliseconds that a node may take to drain. */
  drain: number;
}

/** How much longer than its drain an instance may be in its terminating hook before Auto Scaling ends it all the same. */
const AFTER_DRAIN = Duration.minutes(5);

/** An instance whose node is not SERVING by then is ended, and another started. */
const LAUNCH_HOOK = Duration.minutes(5);

/** From boot to SERVING, with room: Auto Scaling counts an instance's load from then on. */
const WARM_UP = Duration.seconds(90);

const BOOT = readFileSync(new URL('boot.sh', import.meta.url), 'utf8');

export class Fleet extends Construct {
  readonly group: autoscaling.AutoScalingGroup;

  constructor(
    scope: Construct,
    id: string,
    { group, config, network, role, archives, environment, drain }: FleetProps,
  ) {
    super(scope, id);
    const architecture = architectureOf(config.instanceType);
    const userData = ec2.UserData.custom(
      fill(BOOT, {
        ARCHIVE: nodeArtifact(this, { architecture, archives, role }),
        ENVIRONMENT: Object.entries({
          ...environment,
          MERIDIAN_NODE_GROUP: group,
          MERIDIAN_FLEET: fleetName(group),
        })
          // Quoted, as systemd reads it: some hold JSON.
          .map(([name, value]) => `${name}='${value}'`)
          .join('\n'),
      }),
    );
    const template = new ec2.LaunchTemplate(this, 'Template', {
      launchTemplateName: fleetName(group),
      // Looked up by CloudFormation at each deployment: the AMI in use stands in the launch template's version.
      machineImage: ec2.MachineImage.latestAmazonLinux2023({
        cpuType: architecture === 'arm64' ? ec2.AmazonLinuxCpuType.ARM_64 : ec2.AmazonLinuxCpuType.X86_64,
      }),
      instanceType: new ec2.InstanceType(config.instanceType),
      role,
      securityGroup: network.nodes,
      userData,
      associatePublicIpAddress: true,
      // CPU each minute instead of each five: target tracking sees load while it comes.
      detailedMonitoring: true,
      requireImdsv2: true,
      httpPutResponseHopLimit: 1,
      instanceMetadataTags: false,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: ec2.BlockDeviceVolume.ebs(10, {
            encrypted: true,
            volumeType: ec2.EbsDeviceVolumeType.GP3,
            deleteOnTermination: true,
          }),
        },
      ],
    });
    this.group = new autoscaling.AutoScalingGroup(this, 'Group', {
      autoScalingGroupName: fleetName(group),
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      launchTemplate: template,
      minCapacity: config.min,
      maxCapacity: config.max,
      defaultInstanceWarmup: WARM_UP,
      groupMetrics: [autoscaling.GroupMetrics.all()],
      // A new version drains one old node after another; viewers and legs move meanwhile.
      updatePolicy: autoscaling.UpdatePolicy.rollingUpdate({
        maxBatchSize: 1,
        minInstancesInService: config.min,
      }),
    });
    justify(
      this.group,
      'AS3',
      'Scaling is seen by the group metrics and alarms; each event by e-mail would be noise.',
    );
    this.#holdInstances(drain);
    // An instance boots at once, and needs its way out then.
    for (const subnet of network.vpc.publicSubnets)
      this.group.node.addDependency(subnet.internetConnectivityEstablished);
    this.group.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: config.targetCpu });
    for (const [index, { cron, min, max, desired }] of config.schedules.entries()) {
      this.group.scaleOnSchedule(`Schedule${index}`, {
        schedule: autoscaling.Schedule.expression(cron),
        minCapacity: min,
        maxCapacity: max,
        desiredCapacity: desired,
      });
    }
    if (config.warm > 0) {
      this.group.addWarmPool({
        minSize: config.warm,
        // Both the same is an absolute size; alone, the least would be one that grows to the group's max (PutWarmPool, AWS).
        maxGroupPreparedCapacity: config.warm,
        poolState: autoscaling.PoolState.STOPPED,
      });
    }
    Tags.of(this.group).add('Name', `meridian ${group}`);
  }

  /** Within the group, for hooks that are made after it miss its first instances. */
  #holdInstances(drain: number): void {
    const group = this.group.node.findChild('ASG');
    if (!autoscaling.CfnAutoScalingGroup.isCfnAutoScalingGroup(group))
      throw new Error('aws-cdk-lib has changed');
    group.lifecycleHookSpecificationList = [
      // Without it an instance counts as soon as it runs: an update would end the old node before the new one serves.
      {
        lifecycleHookName: hook('launch'),
        lifecycleTransition: autoscaling.LifecycleTransition.INSTANCE_LAUNCHING,
        heartbeatTimeout: LAUNCH_HOOK.toSeconds(),
        defaultResult: autoscaling.DefaultResult.ABANDON,
      },
      // The node sees its own state by IMDS, drains, and completes the hook itself (media-fleet/drain.ts).
      {
        lifecycleHookName: hook('drain'),
        lifecycleTransition: autoscaling.LifecycleTransition.INSTANCE_TERMINATING,
        heartbeatTimeout: Math.ceil(drain / 1_000) + AFTER_DRAIN.toSeconds(),
        defaultResult: autoscaling.DefaultResult.CONTINUE,
      },
    ];
  }
}

/** A node completes it by this name (media-fleet/lifecycle.ts). */
const hook = (name: LifecycleHook): string => name;

/** `@NAME@` in the script becomes the value. */
const fill = (script: string, values: Record<string, string>): string =>
  Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`@${name}@`, value), script);
