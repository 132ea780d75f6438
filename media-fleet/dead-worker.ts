// What is sent to a worker that has died, before all know that it has.

import { errors } from 'mediasoup';

/**
 * Sends what is for a worker and wants no answer. mediasoup closes the routers of one that died one after the other: those
 * that come last look open, and what is sent to them throws in the middle of what the first ones' end sets off.
 */
export function unlessDead(send: () => void): void {
  try {
    send();
  } catch (error) {
    if (!(error instanceof errors.WorkerClosedError)) throw error;
  }
}
