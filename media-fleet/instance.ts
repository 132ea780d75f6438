// The EC2 instance that a node runs on: its addresses, and what its Auto Scaling Group wants of it. IMDSv2 only.

import { setTimeout as sleep } from 'node:timers/promises';
import { MetadataService } from '@aws-sdk/ec2-metadata-service';
import * as z from 'zod';

/** Milliseconds for one answer: the service is on the host, but at boot both are busy. */
const TIMEOUT = 3_000;
/** Milliseconds between looks at the lifecycle state; it may be some seconds old when a look finds it changed. */
const LOOK = 5_000;

/** What Auto Scaling says an instance is to be (Amazon EC2 Auto Scaling user guide, "target lifecycle state"). */
const IN_SERVICE = 'InService';
const TERMINATED = 'Terminated';

/** What the client's errors carry when the service answered. */
const answered = z.object({ $metadata: z.object({ httpStatusCode: z.number() }) });

export class Instance {
  readonly #service = new MetadataService({
    httpOptions: { timeout: TIMEOUT },
    ec2MetadataV1Disabled: true,
    retries: 2,
  });

  /**
   * The settings that only the instance knows, under the names of a node's variables.
   * @throws Error when the service does not answer or has no address for us.
   */
  async environment(): Promise<Record<string, string>> {
    const [privateAddress, publicAddress, publicAddressV6] = await Promise.all([
      this.#read('local-ipv4'),
      this.#read('public-ipv4'),
      this.#read('ipv6'),
    ]);
    if (privateAddress === undefined) throw new Error('the instance’s metadata has no local-ipv4');
    if (publicAddress === undefined) {
      throw new Error(
        'the instance has no public IPv4 address: its subnet or launch template must give it one',
      );
    }
    return {
      MERIDIAN_PRIVATE_ADDRESS: privateAddress,
      MERIDIAN_PUBLIC_ADDRESS: publicAddress,
      ...(publicAddressV6 === undefined ? {} : { MERIDIAN_PUBLIC_ADDRESS_V6: publicAddressV6 }),
    };
  }

  /** @throws Error when the service does not answer. */
  async id(): Promise<string> {
    const id = await this.#read('instance-id');
    if (id === undefined) throw new Error('the instance’s metadata has no instance-id');
    return id;
  }

  /**
   * Resolves when the group wants it in service, at once outside of a group; one in a warm pool waits.
   * @param onWarm called once where it has to wait: the group then waits for the word that it is ready to be stopped.
   */
  inService(signal: AbortSignal, onWarm: () => void): Promise<void> {
    let told = false;
    return this.#until((state) => {
      if (state === undefined || state === IN_SERVICE) return true;
      if (!told) onWarm();
      told = true;
      return false;
    }, signal);
  }

  /** Resolves when the group wants it gone. */
  terminated(signal: AbortSignal): Promise<void> {
    return this.#until((state) => state === TERMINATED, signal);
  }

  async #until(wanted: (state: string | undefined) => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      // A look that fails says nothing: the next one comes.
      const look = await this.#read('autoscaling/target-lifecycle-state').then(
        (state) => ({ state }),
        () => undefined,
      );
      if (look && wanted(look.state)) return;
      await sleep(LOOK, undefined, { signal });
    }
  }

  /** Undefined where the instance has not got such a thing. */
  async #read(path: string): Promise<string | undefined> {
    try {
      // Without a slash before it: the client puts the endpoint's own there.
      return (await this.#service.request(`latest/meta-data/${path}`, {})).trim() || undefined;
    } catch (error) {
      if (answered.safeParse(error).data?.$metadata.httpStatusCode === 404) return undefined;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`the instance’s metadata did not give ${path}: ${why}`, { cause: error });
    }
  }
}
