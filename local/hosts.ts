// Hosts on one machine: a network namespace each, on the switch of a region, with a cable that can be pulled; regions
// are joined by a WAN. Linux, as root.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import { hasEnded } from './children.ts';
import { Wan } from './wan.ts';

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

const OURS = 1;
const MOST = 254;

/** Where hosts are that need no region. */
const HERE = 'here';

/** Frames that a switch's end of the WAN holds for it when this machine is busy; a lost one would not be the WAN's doing. */
const WAN_QUEUE = '2000';

/** A region's switch, and the devices at it that are not hosts'. */
interface Switch {
  bridge: string;
  /** This process's network device on it: it is near every region. */
  ours: string;
}

/** Devices of this process so far: those of hosts that were closed may go a moment later. */
let devices = 0;

/** RFC 2544's addresses for tests of networks, 198.18.0.0/15: of the upper half a /24 that nobody has on this machine. */
function freeNetwork(): string {
  const taken = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  // Those that begin at once begin to look at different ones.
  const networks = Array.from({ length: 256 }, (_, index) => `198.19.${(process.pid + index) % 256}`);
  const free = networks.find((network) => taken.every((address) => !address.startsWith(`${network}.`)));
  if (free === undefined)
    throw new Error('198.19.0.0/16 is taken: this machine has an address in each /24 of it');
  return free;
}

/** Hosts, and this process among them. */
export class Hosts {
  readonly #network = freeNetwork();
  /** This process's own. */
  readonly address = `${this.#network}.${OURS}`;
  /** All switches are in it. */
  readonly #hub: Namespace;
  readonly #namespaces: Namespace[];
  readonly #switches = new Map<string, Switch>();
  #wan: Wan | undefined;
  #made = 0;

  private constructor(hub: Namespace) {
    this.#hub = hub;
    this.#namespaces = [hub];
  }

  /**
   * @param regions each gets a switch of its own; without any, there is one switch.
   * @throws Error when this is not Linux, not root, or a command fails.
   */
  static async open(regions: readonly string[] = []): Promise<Hosts> {
    if (!canMakeHosts()) throw new Error('hosts are network namespaces, which only root can make, on Linux');
    const hosts = new Hosts(await openNamespace());
    try {
      for (const region of regions.length > 0 ? regions : [HERE]) await hosts.#addSwitch(region);
      if (regions.length > 1) await hosts.#joinSwitches();
      return hosts;
    } catch (error) {
      await hosts.close();
      throw error;
    }
  }

  /** What lies between the regions. */
  get wan(): Wan {
    if (this.#wan === undefined) throw new Error('there is no WAN: these hosts were opened without regions');
    return this.#wan;
  }

  /** @param region of those that the hosts were opened with, if any. */
  async add(region?: string): Promise<Host> {
    const place = this.#switches.get(region ?? HERE) ?? this.#switches.get(HERE);
    if (place === undefined) throw new Error(`these hosts have no region ${region}`);
    this.#made += 1;
    const number = OURS + this.#made;
    if (number > MOST) throw new Error(`there are addresses for ${MOST - OURS} hosts`);
    const address = `${this.#network}.${number}`;
    const port = `host${number}`;
    const host = await openNamespace();
    this.#namespaces.push(host);
    await ip(host, 'link', 'set', 'lo', 'up');
    await ip(host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', port, 'netns', pidOf(this.#hub));
    await this.#plugIn(port, place);
    await ip(host, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await ip(host, 'link', 'set', 'eth0', 'up');
    await run('ip', ['route', 'add', `${address}/32`, 'dev', place.ours]);
    return {
      address,
      enter: host.enter,
      setCable: (plugged) => ip(this.#hub, 'link', 'set', port, plugged ? 'up' : 'down'),
    };
  }

  /** What still runs on the hosts loses its network. */
  async close(): Promise<void> {
    await this.#wan?.close();
    for (const { holder } of this.#namespaces.reverse()) {
      if (hasEnded(holder)) continue;
      const exited = once(holder, 'exit');
      holder.stdin?.end();
      await exited;
    }
  }

  async #addSwitch(region: string): Promise<void> {
    const number = this.#switches.size;
    // A name of our own: other processes may have such a device, too. The kernel allows 15 characters.
    const place = { bridge: `switch${number}`, ours: `mer${process.pid}n${devices}` };
    devices += 1;
    this.#switches.set(region, place);
    const { bridge, ours } = place;
    await ip(this.#hub, 'link', 'add', bridge, 'type', 'bridge');
    await ip(this.#hub, 'link', 'set', bridge, 'up');
    const port = `us${number}`;
    await run('ip', ['link', 'add', ours, 'type', 'veth', 'peer', port, 'netns', pidOf(this.#hub)]);
    await this.#plugIn(port, place, ...APART);
    // The same address on every switch; `add` says on which of them a host is.
    await run('ip', ['address', 'add', `${this.address}/32`, 'dev', ours]);
    await run('ip', ['link', 'set', ours, 'up']);
  }

  async #joinSwitches(): Promise<void> {
    const device = (number: number) => `wan${number}`;
    const devices = new Map([...this.#switches.keys()].map((region, number) => [region, device(number)]));
    this.#wan = await Wan.open({ enter: this.#hub.enter, devices });
    for (const [number, place] of [...this.#switches.values()].entries()) {
      await ip(this.#hub, 'link', 'set', device(number), 'txqueuelen', WAN_QUEUE);
      await this.#plugIn(device(number), place, ...APART);
    }
  }

  async #plugIn(port: string, { bridge }: Switch, ...options: string[]): Promise<void> {
    await ip(this.#hub, 'link', 'set', port, 'master', bridge);
    if (options.length > 0) await ip(this.#hub, 'link', 'set', port, ...options);
    await ip(this.#hub, 'link', 'set', port, 'up');
  }
}

/**
 * Ports of a switch that are apart speak with its hosts, not with each other. So what asks over the WAN for this
 * process, which has its address on every switch, is answered by its own switch alone.
 */
const APART = ['type', 'bridge_slave', 'isolated', 'on'] as const;

async function openNamespace(): Promise<Namespace> {
  // Says that it is there, and waits for the end of its input, which is ours.
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // A Ctrl-C is for us: what runs on the hosts needs its network to end in peace.
    detached: true,
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
