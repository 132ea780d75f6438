// A region's network: public subnets for media, private ones for functions that reach nodes, and who may talk to whom.

import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { justify } from './checks.ts';
import type { RegionConfig } from './config.ts';

/** The ports of a node, as its configuration has them by default (docs/operations.md). */
export const PORTS = {
  /** One for each media worker, UDP and TCP: more than any instance type has cores. */
  media: { first: 7_000, last: 7_255 },
  legs: { first: 20_000, last: 26_999 },
  control: 7_443,
} as const;

export interface NetworkProps {
  region: RegionConfig;
}

export class Network extends Construct {
  readonly vpc: ec2.Vpc;
  /** Functions that call nodes. */
  readonly functions: ec2.SecurityGroup;
  readonly nodes: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, { region }: NetworkProps) {
    super(scope, id);
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(region.cidr),
      ipProtocol: ec2.IpProtocol.DUAL_STACK,
      availabilityZones: region.zones.map((letter) => `${region.id}${letter}`),
      natGateways: 0,
      subnetConfiguration: [
        { name: 'media', subnetType: ec2.SubnetType.PUBLIC },
        // Out by IPv6 only, whose egress-only gateway costs nothing: Secrets Manager and the other regions' APIs answer there.
        { name: 'functions', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      ],
      gatewayEndpoints: {
        DynamoDb: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      },
      restrictDefaultSecurityGroup: false,
    });
    justify(
      this.vpc,
      'VPC7',
      'Flow logs of media would cost more than its instances; turn them on to look into something.',
    );

    this.functions = new ec2.SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions that call nodes',
      allowAllOutbound: false,
    });
    this.nodes = new ec2.SecurityGroup(this, 'Nodes', {
      vpc: this.vpc,
      description: 'Media nodes',
      allowAllOutbound: true,
      allowAllIpv6Outbound: true,
    });
    this.#letFunctionsCall();
    this.#letMediaIn();
  }

  #letFunctionsCall(): void {
    const control = ec2.Port.tcp(PORTS.control);
    this.functions.addEgressRule(this.nodes, control, 'nodes');
    this.functions.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'DynamoDB, by the gateway endpoint');
    this.functions.addEgressRule(ec2.Peer.anyIpv6(), ec2.Port.tcp(443), 'AWS and the other regions');
    this.nodes.addIngressRule(this.functions, control, 'functions');
    this.nodes.addIngressRule(this.nodes, control, 'nodes of this region');
  }

  /** Viewers and publishers are anywhere; legs come from nodes of other regions, whose addresses come and go: SRTP guards them. */
  #letMediaIn(): void {
    justify(
      this.nodes,
      'EC23',
      'Publishers and viewers are anywhere: media is DTLS-SRTP, legs are SRTP; the control port is not open.',
    );
    const { media, legs } = PORTS;
    for (const peer of [ec2.Peer.anyIpv4(), ec2.Peer.anyIpv6()]) {
      this.nodes.addIngressRule(peer, ec2.Port.udpRange(media.first, media.last), 'media');
      this.nodes.addIngressRule(peer, ec2.Port.tcpRange(media.first, media.last), 'media over TCP');
      this.nodes.addIngressRule(peer, ec2.Port.udpRange(legs.first, legs.last), 'legs');
    }
  }
}
