// Hosts on one machine: a network namespace each, joined by a switch, with a cable that can be pulled. Linux, as root.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A network namespace that lives as long as its holder, which ends with us however we end. */
interface Namespace {
  holder: ChildProcess;
  /** The beginning of a command that runs in it. */
  enter: readonly string[];
}

export interface Host {
  address: string;
  /** The beginning of a command that runs on the host; what runs keeps its process id. */
  enter: readonly string[];
  /** Pulls its network cable, or plugs it in again. */
  setCable(plugged: boolean): Promise<void>;
}

/** Only root may make namespaces. */
export const canMakeHosts = (): boolean => process.platform === 'linux' && process.getuid?.() === 0;

/** RFC 2544's addresses for tests of networks, 198.18.0.0/15: the upper half, a /24 of it for each process. */
const network = `198.19.${process.pid % 256}`;
const OURS = 1;
const MOST = 254;

/** Hosts, and this process among them. */
export class Hosts {
  /** This process's own. */
  readonly address = `${network}.${OURS}`;
  readonly #switch: Namespace;
  readonly #namespaces: Namespace[];
  #made = 0;

  private constructor(hub: Namespace) {
    this.#switch = hub;
    this.#namespaces = [hub];
  }

  /** @throws Error when this is not Linux, not root, or a command fails. */
  static async open(): Promise<Hosts> {
    if (!canMakeHosts()) throw new Error('hosts are network namespaces, which only root can make, on Linux');
    const hub = await openNamespace();
    const hosts = new Hosts(hub);
    try {
      await ip(hub, 'link', 'add', 'switch', 'type', 'bridge');
      await ip(hub, 'link', 'set', 'switch', 'up');
      // A name of our own: other processes may have such a cable, too.
      const ours = `meridian${process.pid}`.slice(0, 15);
      await run('ip', ['link', 'add', ours, 'type', 'veth', 'peer', 'us', 'netns', pidOf(hub)]);
      await hosts.#plugIn('us');
      await run('ip', ['address', 'add', `${hosts.address}/24`, 'dev', ours]);
      await run('ip', ['link', 'set', ours, 'up']);
      return hosts;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  async add(): Promise<Host> {
    this.#made += 1;
    const number = OURS + this.#made;
    if (number > MOST) throw new Error(`there are addresses for ${MOST - OURS} hosts`);
    const address = `${network}.${number}`;
    const port = `host${number}`;
    const host = await openNamespace();
    this.#namespaces.push(host);
    await ip(host, 'link', 'set', 'lo', 'up');
    await ip(host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', port, 'netns', pidOf(this.#switch));
    await this.#plugIn(port);
    await ip(host, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await ip(host, 'link', 'set', 'eth0', 'up');
    return {
      address,
      enter: host.enter,
      setCable: (plugged) => ip(this.#switch, 'link', 'set', port, plugged ? 'up' : 'down'),
    };
  }

  /** What still runs on the hosts loses its network. */
  async close(): Promise<void> {
    for (const { holder } of this.#namespaces.reverse()) {
      if (holder.exitCode !== null) continue;
      const exited = once(holder, 'exit');
      holder.stdin?.end();
      await exited;
    }
  }

  async #plugIn(port: string): Promise<void> {
    await ip(this.#switch, 'link', 'set', port, 'master', 'switch');
    await ip(this.#switch, 'link', 'set', port, 'up');
  }
}

async function openNamespace(): Promise<Namespace> {
  // Says that it is there, and waits for the end of its input, which is ours.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit').then(([code]) => {
      throw new Error(`unshare --net ended with ${code}; its message is above`);
    }),
  ]);
  holder.stdout.resume();
  return { holder, enter: ['nsenter', `--net=/proc/${holder.pid}/ns/net`] };
}

const pidOf = ({ holder }: Namespace): string => String(holder.pid);

async function ip({ enter: [command = '', ...entry] }: Namespace, ...args: string[]): Promise<void> {
  await run(command, [...entry, 'ip', ...args]);
}
