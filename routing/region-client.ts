// Calls from a region to another region's HTTP API, signed with SigV4 (API Gateway checks it with IAM on AWS).

import { Hash } from '@smithy/hash-node';
import { HttpRequest } from '@smithy/protocol-http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentityProvider } from '@smithy/types';
import { type CascadeRequest, legAnswer, nothing } from './node-messages.ts';
import { Problem } from './problem.ts';

/** A region and where its HTTP API answers, e.g. `https://eu-west-1.live.example.com`. */
export interface RegionApi {
  id: string;
  api: string;
}

export interface RegionClientOptions {
  regions: readonly RegionApi[];
  credentials: AwsCredentialIdentityProvider;
  /** Milliseconds until a call counts as failed. */
  timeout: number;
}

/** The AWS name of the service that the signatures are for. */
export const SIGNED_SERVICE = 'execute-api';

/** Signs a request to a region's API: used by the client here and by the local gateway's check. */
export function regionSigner(region: string, credentials: AwsCredentialIdentityProvider): SignatureV4 {
  return new SignatureV4({
    service: SIGNED_SERVICE,
    region,
    credentials,
    sha256: Hash.bind(null, 'sha256'),
  });
}

export class RegionClient {
  readonly #regions: ReadonlyMap<string, { api: string; signer: SignatureV4 }>;
  readonly #timeout: number;

  constructor({ regions, credentials, timeout }: RegionClientOptions) {
    this.#regions = new Map(
      regions.map(({ id, api }) => [id, { api, signer: regionSigner(id, credentials) }]),
    );
    this.#timeout = timeout;
  }

  /** Asks a region for a leg of a stream whose origin it has. */
  async askLeg(region: string, leg: Extract<CascadeRequest, { ask: 'leg' }>['leg']) {
    return legAnswer.parse(await this.#cascade(region, leg.stream, { ask: 'leg', leg }));
  }

  /** Tells a region something about a stream. */
  async tell(region: string, notice: Extract<CascadeRequest, { ask: 'notice' }>['notice']): Promise<void> {
    nothing.parse(await this.#cascade(region, notice.stream, { ask: 'notice', notice }));
  }

  /**
   * @throws Problem as the region answered, or 502 when it cannot be reached.
   */
  async #cascade(region: string, stream: string, body: CascadeRequest): Promise<unknown> {
    const target = this.#regions.get(region);
    if (target === undefined) {
      throw new Problem(502, 'unknown-region', `region ${region} is not in this system's configuration`);
    }
    const url = new URL(`/cascade/${encodeURIComponent(stream)}`, target.api);
    const text = JSON.stringify(body);
    const signed = await target.signer.sign(
      new HttpRequest({
        method: 'POST',
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        headers: { host: url.host, 'content-type': 'application/json' },
        body: text,
      }),
    );
    const { status, body: answer } = await this.#exchange(region, url, {
      method: 'POST',
      headers: signed.headers,
      body: text,
    });
    if (status >= 400) throw Problem.fromBody(status, answer, {}, `region ${region}`);
    return answer;
  }

  async #exchange(region: string, url: URL, init: RequestInit): Promise<{ status: number; body: unknown }> {
    let status: number;
    let text: string;
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(this.#timeout) });
      ({ status } = response);
      text = await response.text();
    } catch (error) {
      throw new Problem(
        502,
        'region-unreachable',
        `region ${region} did not answer: ${why(error)}`,
        {},
        error,
      );
    }
    try {
      return { status, body: JSON.parse(text) };
    } catch (error) {
      const said = `region ${region} answered ${status}, not in JSON: ${text.slice(0, SAID)}`;
      throw new Problem(502, 'region-unreachable', said, {}, error);
    }
  }
}

/** Characters of an answer that is none of ours, enough to know it by. */
const SAID = 80;

/** fetch says only that it failed; what did is the error's cause. */
function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
