// The data channels of a stream's viewers: one message of ours reaches all of them, whichever router serves them.

import type { DataConsumer, DataProducer, Router, Transport } from 'mediasoup/types';
import { unlessDead } from '../dead-worker.ts';

/** mediasoup's subchannels are numbers of 16 bits. */
const MAX_SUBCHANNEL = 0xffff;

/**
 * A data producer on each router that serves a viewer with a data channel; it goes with its router. What is for the
 * viewers of one section name only goes over a subchannel, which stands for that name.
 */
export class EventChannels {
  readonly #producers = new Map<Router, Promise<DataProducer>>();
  readonly #open = new Set<DataProducer>();
  readonly #subchannels = new Map<string, { number: number; users: number }>();
  #lastNumber = 0;

  /**
   * Opens a viewer's channel, on SCTP stream 0: mediasoup gives a transport's first consumer that one, and has no DCEP,
   * by which a client could be told of another; reliably and in order. It is paused: what is sent before it connects would wait, and come late.
   * @param mid the viewer's section of video, where it has one.
   */
  async open(
    router: Router,
    transport: Pick<Transport, 'consumeData'>,
    mid: string | undefined,
  ): Promise<DataConsumer> {
    const { id } = await this.#producer(router);
    const subchannels = mid === undefined ? [] : [this.#enter(mid)];
    try {
      const consumer = await transport.consumeData({ dataProducerId: id, subchannels, paused: true });
      if (mid !== undefined) consumer.observer.once('close', () => this.#leave(mid));
      return consumer;
    } catch (error) {
      if (mid !== undefined) this.#leave(mid);
      throw error;
    }
  }

  /** Sends to every viewer. */
  send(message: string): void {
    this.#send(message, []);
  }

  /** Sends to each viewer what is for its section of video; those without one get nothing. */
  sendByMid(messageFor: (mid: string) => string): void {
    for (const [mid, { number }] of this.#subchannels) this.#send(messageFor(mid), [number]);
  }

  /** At once: what the caller asks of the worker next comes after it. */
  #send(message: string, subchannels: number[]): void {
    for (const producer of this.#open) unlessDead(() => producer.send(message, undefined, subchannels));
  }

  #producer(router: Router): Promise<DataProducer> {
    const known = this.#producers.get(router);
    if (known) return known;
    const opening = this.#produce(router);
    this.#producers.set(router, opening);
    const forget = () => {
      this.#producers.delete(router);
    };
    router.observer.once('close', forget);
    opening.catch(forget);
    return opening;
  }

  async #produce(router: Router): Promise<DataProducer> {
    const transport = await router.createDirectTransport();
    const producer = await transport.produceData({ label: 'events' }).catch((error: unknown) => {
      transport.close();
      throw error;
    });
    if (!producer.closed) this.#open.add(producer);
    producer.observer.once('close', () => this.#open.delete(producer));
    return producer;
  }

  #enter(mid: string): number {
    const known = this.#subchannels.get(mid);
    if (known) {
      known.users += 1;
      return known.number;
    }
    const taken = new Set([...this.#subchannels.values()].map(({ number }) => number));
    do {
      this.#lastNumber = (this.#lastNumber + 1) % (MAX_SUBCHANNEL + 1);
    } while (taken.has(this.#lastNumber));
    this.#subchannels.set(mid, { number: this.#lastNumber, users: 1 });
    return this.#lastNumber;
  }

  #leave(mid: string): void {
    const known = this.#subchannels.get(mid);
    if (known === undefined) return;
    known.users -= 1;
    if (known.users === 0) this.#subchannels.delete(mid);
  }
}
