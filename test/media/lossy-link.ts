// A link between a viewer and its node that loses packets: a relay that the answer's candidate is rewritten to.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export class LossyLink {
  readonly #socket: Socket;
  /** Towards the node, which tells by it who sends. */
  readonly #behind: Socket;
  #node: { address: string; port: number } | undefined;
  #viewer: RemoteInfo | undefined;
  #count = 0;
  /** Every so many packets from the node one is lost; 0 for none. */
  loseEvery = 0;

  private constructor(socket: Socket, behind: Socket) {
    this.#socket = socket;
    this.#behind = behind;
    socket.on('message', (packet, from) => {
      this.#viewer = from;
      if (this.#node) behind.send(packet, this.#node.port, this.#node.address);
    });
    behind.on('message', (packet) => {
      this.#count += 1;
      const isLost = this.loseEvery > 0 && this.#count % this.loseEvery === 0;
      if (this.#viewer && !isLost) socket.send(packet, this.#viewer.port, this.#viewer.address);
    });
  }

  static async open(): Promise<LossyLink> {
    const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
    for (const socket of sockets) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    return new LossyLink(...sockets);
  }

  /** The answer with this link in place of the node's candidates. */
  through(answer: string): string {
    const [, address, port] = / udp \d+ (\S+) (\d+) typ host/i.exec(answer) ?? [];
    if (address === undefined || port === undefined) throw new Error('the answer has no UDP candidate');
    this.#node = { address, port: Number(port) };
    return answer
      .replace(/^a=candidate:.* tcp .*\r\n/gim, '')
      .replaceAll(` ${address} ${port} typ host`, ` 127.0.0.1 ${this.#socket.address().port} typ host`);
  }

  close(): void {
    this.#socket.close();
    this.#behind.close();
  }
}
