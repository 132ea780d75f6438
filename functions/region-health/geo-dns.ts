// Taking a region out of the global name and putting it back, by its Route 53 health check.

import {
  GetHealthCheckCommand,
  type Route53Client,
  UpdateHealthCheckCommand,
} from '@aws-sdk/client-route-53';

export interface GeoDns {
  /** Idempotent; a region that is not out is in while its own health check says so. */
  setOut(out: boolean): Promise<void>;
}

/**
 * A disabled health check counts as healthy, and a disabled and inverted one as unhealthy, whatever its endpoint says
 * (Route 53 API reference, UpdateHealthCheck). The records and the rest of the check are CloudFormation's.
 */
export class Route53GeoDns implements GeoDns {
  readonly #client: Route53Client;
  readonly #healthCheckId: string;

  constructor(client: Route53Client, healthCheckId: string) {
    this.#client = client;
    this.#healthCheckId = healthCheckId;
  }

  async setOut(out: boolean): Promise<void> {
    const HealthCheckId = this.#healthCheckId;
    const { HealthCheck } = await this.#client.send(new GetHealthCheckCommand({ HealthCheckId }));
    const { Disabled = false, Inverted = false } = HealthCheck?.HealthCheckConfig ?? {};
    if (Disabled === out && Inverted === out) return;
    await this.#client.send(
      new UpdateHealthCheckCommand({
        HealthCheckId,
        // Refused where somebody changed the check since it was read; the next minute's run sees what they did.
        HealthCheckVersion: HealthCheck?.HealthCheckVersion,
        Disabled: out,
        Inverted: out,
      }),
    );
  }
}
