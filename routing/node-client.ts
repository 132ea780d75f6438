// Calls to a node's control server: TLS pinned to the certificate in the node's item, every request signed.

import { createSecretKey, type KeyObject } from 'node:crypto';
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import type { NodeRecord } from './node-record.ts';
import { Problem } from './problem.ts';
import { signRequest } from './request-signature.ts';

/** What is needed to call a node. */
export type NodeAddress = Pick<NodeRecord, 'nodeId' | 'incarnation' | 'control' | 'fingerprint'>;

/** Longest answer that is read, in bytes. */
const MAX_ANSWER = 4_194_304;
/** Milliseconds for a connection's TLS handshake; a call may have given up before. */
const CONNECT_TIMEOUT = 5_000;
/** Nodes whose connections are kept open. */
const KEPT_NODES = 1_000;

/** A node could not be reached or did not answer in time: it may be dead. Its own refusals are Problems. */
export class NodeUnreachable extends Error {
  readonly nodeId: string;
  constructor(nodeId: string, cause: unknown) {
    super(`node ${nodeId} did not answer: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'NodeUnreachable';
    this.nodeId = nodeId;
  }
}

/** Keeps connections to one node, each checked against the node's certificate before a byte of a request is sent. */
class PinnedAgent extends Agent {
  readonly #fingerprint: string;

  constructor(fingerprint: string) {
    super({ keepAlive: true, maxCachedSessions: 0 });
    this.#fingerprint = fingerprint;
  }

  override createConnection(
    options: { host?: string; port?: number },
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined {
    // The certificate is the node's own, so no authority vouches for it: the fingerprint does.
    const socket = connect({
      host: options.host,
      port: options.port,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    const failed = (error: Error) => callback?.(error, socket);
    const timer = setTimeout(() => socket.destroy(new Error('no TLS handshake in time')), CONNECT_TIMEOUT);
    socket.once('error', failed);
    socket.once('close', () => clearTimeout(timer));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      const seen = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
      if (seen === this.#fingerprint) {
        callback?.(null, socket);
        return;
      }
      socket.destroy();
      failed(new Error('the certificate is not the one that the node registered'));
    });
    return undefined;
  }
}

export interface NodeCall<Answer extends z.ZodType> {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: unknown;
  /** What the answer must look like. */
  answer: Answer;
  /** Milliseconds until the call counts as failed. */
  timeout: number;
  /** Gives the call up. */
  signal?: AbortSignal;
}

/** Calls nodes. One per process; `close` ends its idle connections. */
export class NodeClient {
  readonly #key: KeyObject;
  readonly #agents = new LRUCache<string, PinnedAgent>({
    max: KEPT_NODES,
    dispose: (agent) => agent.destroy(),
  });

  /** @param key the cluster key, shared by functions and nodes. */
  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /**
   * @throws Problem when the node refuses; {@link NodeUnreachable} when it cannot be reached or is not itself.
   */
  async call<Answer extends z.ZodType>(node: NodeAddress, call: NodeCall<Answer>): Promise<z.output<Answer>> {
    const body = call.body === undefined ? '' : JSON.stringify(call.body);
    const { status, text } = await this.#exchange(node, call, body).catch((error: unknown) => {
      throw new NodeUnreachable(node.nodeId, error);
    });
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (error) {
      throw new NodeUnreachable(node.nodeId, error);
    }
    if (status >= 400) {
      const problem = Problem.fromBody(status, answer, retryAfter(answer));
      // Our signature, not the client's token: to whoever asks us, this node cannot be reached.
      if (problem.code === 'not-signed') throw new NodeUnreachable(node.nodeId, problem);
      throw problem;
    }
    return call.answer.parse(answer);
  }

  /**
   * As {@link call}, for what may take its time: a node that has not answered in `probe` ms is asked whether it lives,
   * and given up when it does not say so in `probe` ms more. A frozen node costs its caller that, not the whole timeout.
   */
  async callOrDoubt<Answer extends z.ZodType>(
    node: NodeAddress,
    call: NodeCall<Answer>,
    probe: number,
  ): Promise<z.output<Answer>> {
    const doubted = new AbortController();
    const status = { method: 'GET', path: '/v1/status', answer: z.unknown(), timeout: probe } as const;
    let doubt: NodeUnreachable | undefined;
    const timer = setTimeout(() => {
      this.call(node, status).catch((error: unknown) => {
        if (!(error instanceof NodeUnreachable)) return;
        doubt = error;
        doubted.abort();
      });
    }, probe);
    try {
      return await this.call(node, { ...call, signal: doubted.signal });
    } catch (error) {
      throw doubt ?? error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#agents.clear();
  }

  #exchange(
    node: NodeAddress,
    {
      method,
      path,
      timeout,
      signal: given,
    }: Pick<NodeCall<z.ZodType>, 'method' | 'path' | 'timeout' | 'signal'>,
    body: string,
  ): Promise<{ status: number; text: string }> {
    const { host, port } = splitAddress(node.control);
    return new Promise((resolve, reject) => {
      const late = AbortSignal.timeout(timeout);
      const signal = given ? AbortSignal.any([late, given]) : late;
      // A request that waits for its connection does not hear of its signal: so we do.
      signal.addEventListener('abort', () =>
        reject(new Error(late.aborted ? `no answer within ${timeout} ms` : 'given up')),
      );
      const outgoing = request(
        {
          host,
          port,
          method,
          path,
          agent: this.#agentFor(node),
          signal,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            ...signRequest(this.#key, { method, path, body, incarnation: node.incarnation }),
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER)
              response.destroy(new Error(`the answer is longer than ${MAX_ANSWER} bytes`));
            else chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  #agentFor({ control, fingerprint }: NodeAddress): PinnedAgent {
    const key = `${control} ${fingerprint}`;
    const known = this.#agents.get(key);
    if (known) return known;
    const agent = new PinnedAgent(fingerprint);
    this.#agents.set(key, agent);
    return agent;
  }
}

/** `host:port`, the host of an IPv6 address in brackets. */
function splitAddress(address: string): { host: string; port: number } {
  const { hostname, port } = new URL(`https://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

const withRetryAfter = z.object({ retryAfter: z.number().int() });

/** A node's problem may carry `retryAfter` seconds, which the function passes on as the header. */
function retryAfter(body: unknown): Record<string, string> {
  const parsed = withRetryAfter.safeParse(body);
  return parsed.success ? { 'Retry-After': String(parsed.data.retryAfter) } : {};
}
