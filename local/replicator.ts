// A DynamoDB global table (MREC) on one machine: a database for each region, and copies that come late, in any order.

import { EventEmitter, once } from 'node:events';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import * as z from 'zod';
import {
  CONTROL_TABLE,
  type Database,
  type DatabaseAccess,
  STREAMS_TABLE,
  startDatabase,
} from './database.ts';
import { type AroundCall, type DatabaseFront, openDatabaseFront } from './database-front.ts';

/** A write as it travels: the whole item, as it was right after the write. */
export interface ReplicatedWrite {
  table: string;
  key: { pk: string; sk: string };
  /** Undefined: it was deleted. */
  item: Record<string, unknown> | undefined;
  /** Milliseconds since 1970, in the region of the write; no two writes have the same. */
  at: number;
  region: string;
}

/** Milliseconds that a write takes to another region. */
export type Lag = (write: ReplicatedWrite, to: string) => number;

/** From `least` to `most` ms, each copy for itself: a later write may well arrive first. A seed gives its row again. */
export function anyLag({ least, most, seed }: { least: number; most: number; seed: number }): Lag {
  const generator = xoroshiro128plus(seed);
  return () => uniformInt(generator, least, most);
}

export interface ReplicatorOptions {
  regions: readonly string[];
  lag: Lag;
}

/** The tables that AWS replicates; a regional one stays where it is. */
const GLOBAL_TABLES: readonly string[] = [STREAMS_TABLE, CONTROL_TABLE];
/** Every operation by which Meridian changes an item. */
const WRITES: readonly string[] = ['PutItem', 'UpdateItem', 'DeleteItem'];

const itemKey = z.object({ pk: z.object({ S: z.string() }), sk: z.object({ S: z.string() }) });
const writeBody = z.union([
  z.object({ Item: itemKey }).transform(({ Item }) => Item),
  z.object({ Key: itemKey }).transform(({ Key }) => Key),
]);

/** dynalite checks that a client has some, not which. */
const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

interface Replica {
  readonly region: string;
  readonly database: Database;
  readonly front: DatabaseFront;
  readonly client: DynamoDBClient;
  readonly access: DatabaseAccess;
  /** Of every item, the write that it shows; a deleted one's stays, as a tombstone. */
  readonly versions: Map<string, ReplicatedWrite>;
  /** The end of the last write so far, a caller's or a copy: an item is compared and written with nothing in between. */
  turn: Promise<unknown>;
}

interface Copy {
  readonly write: ReplicatedWrite;
  readonly to: Replica;
  timer: NodeJS.Timeout | undefined;
  /** Its time came while one of its regions was held. */
  waits: boolean;
}

/**
 * As a global table does, it lets every region write at once and the last write of an item win, by the time at which it
 * was made, then by region; what comes late and is older is dropped. Conditions are judged in the region of the write.
 * Emits `copied` when a write has reached another region, with whether it was taken there, and `done` after that.
 */
export class Replicator extends EventEmitter<{
  copied: [{ write: ReplicatedWrite; to: string; taken: boolean }];
  done: [];
}> {
  readonly #replicas = new Map<string, Replica>();
  readonly #copies = new Set<Copy>();
  readonly #held = new Set<string>();
  readonly #closed = new AbortController();
  /** May be changed at any time; for writes from then on. */
  lag: Lag;
  #lastWrite = 0;

  private constructor(lag: Lag) {
    super();
    this.lag = lag;
    // As many tests as like may wait.
    this.setMaxListeners(0);
  }

  static async start({ regions, lag }: ReplicatorOptions): Promise<Replicator> {
    const replicator = new Replicator(lag);
    try {
      for (const region of regions) await replicator.#add(region);
    } catch (error) {
      await replicator.close();
      throw error;
    }
    return replicator;
  }

  /** A region's database as its nodes and functions reach it: what is written there travels. */
  database(region: string): DatabaseAccess {
    return this.#replica(region).access;
  }

  /** What stands before a region's database. */
  front(region: string): DatabaseFront {
    return this.#replica(region).front;
  }

  /** Cuts a region off: nothing reaches it and nothing that it writes leaves, until it is let go. */
  hold(region: string): void {
    this.#held.add(region);
  }

  /** What had to wait goes on its way, again in any order. */
  letGo(region: string): void {
    this.#held.delete(region);
    for (const copy of this.#copies) if (copy.waits) this.#send(copy);
  }

  /** Resolves when no write is on its way, or none of those that are meant. @throws Error when closed before that. */
  async settled(meant: (write: ReplicatedWrite) => boolean = () => true): Promise<void> {
    const { signal } = this.#closed;
    while ([...this.#copies].some(({ write }) => meant(write))) await once(this, 'done', { signal });
  }

  /** What is on its way never arrives. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    for (const { timer } of this.#copies) clearTimeout(timer);
    this.#copies.clear();
    for (const { front, client, database, turn } of this.#replicas.values()) {
      client.destroy();
      front.close();
      await turn;
      await database.close();
    }
  }

  async #add(region: string): Promise<void> {
    const database = await startDatabase({ regions: [region], credentials: CREDENTIALS });
    const front = await openDatabaseFront(database.endpoint, { around: this.#around(region) }).catch(
      async (error: unknown) => {
        await database.close();
        throw error;
      },
    );
    const { endpoint } = front;
    const client = new DynamoDBClient({ endpoint, region, credentials: CREDENTIALS });
    const access = { endpoint, documents: DynamoDBDocumentClient.from(client) };
    this.#replicas.set(region, {
      region,
      database,
      front,
      client,
      access,
      versions: new Map(),
      turn: Promise.resolve(),
    });
  }

  #replica(region: string): Replica {
    const replica = this.#replicas.get(region);
    if (replica === undefined) throw new Error(`the replicator has no region ${region}`);
    return replica;
  }

  #around(region: string): AroundCall {
    return ({ operation, table, body }, make) => {
      if (!GLOBAL_TABLES.includes(table) || !WRITES.includes(operation)) return make();
      const replica = this.#replica(region);
      return inTurn(replica, async () => {
        const answer = await make();
        // A condition that did not hold changed nothing.
        if (answer.statusCode === 200) {
          const { pk, sk } = writeBody.parse(body);
          await this.#spread(replica, table, { pk: pk.S, sk: sk.S });
        }
        return answer;
      });
    };
  }

  async #spread(from: Replica, table: string, key: ReplicatedWrite['key']): Promise<void> {
    const read = new GetCommand({ TableName: table, Key: key, ConsistentRead: true });
    const { Item: item } = await from.database.documents.send(read);
    this.#lastWrite = Math.max(performance.timeOrigin + performance.now(), this.#lastWrite + 0.001);
    const write = { table, key, item, at: this.#lastWrite, region: from.region };
    from.versions.set(nameOf(write), write);
    for (const to of this.#replicas.values()) {
      if (to === from || this.#closed.signal.aborted) continue;
      const copy: Copy = { write, to, timer: undefined, waits: false };
      this.#copies.add(copy);
      this.#send(copy);
    }
  }

  #send(copy: Copy): void {
    const { write, to } = copy;
    copy.waits = false;
    copy.timer = setTimeout(
      () => {
        if (this.#held.has(write.region) || this.#held.has(to.region)) copy.waits = true;
        else void this.#arrive(copy);
      },
      this.lag(write, to.region),
    );
  }

  async #arrive(copy: Copy): Promise<void> {
    const { write, to } = copy;
    try {
      const taken = await inTurn(to, () => take(to, write));
      this.emit('copied', { write, to: to.region, taken });
    } catch (error) {
      // Closed meanwhile, or a fault of ours: the test that waits for it must not look as if it had come.
      if (!this.#closed.signal.aborted)
        process.stderr.write(`a copy to ${to.region} failed: ${String(error)}\n`);
    }
    this.#copies.delete(copy);
    this.emit('done');
  }
}

/** Writes the item where nothing newer stands. */
async function take({ database, versions }: Replica, write: ReplicatedWrite): Promise<boolean> {
  const { table, key, item } = write;
  const shown = versions.get(nameOf(write));
  if (shown && (shown.at > write.at || (shown.at === write.at && shown.region > write.region))) return false;
  if (item) await database.documents.send(new PutCommand({ TableName: table, Item: item }));
  else await database.documents.send(new DeleteCommand({ TableName: table, Key: key }));
  versions.set(nameOf(write), write);
  return true;
}

function inTurn<T>(replica: Replica, work: () => Promise<T>): Promise<T> {
  const turn = replica.turn.then(work);
  replica.turn = turn.catch(() => undefined);
  return turn;
}

const nameOf = ({ table, key: { pk, sk } }: ReplicatedWrite): string => `${table} ${pk} ${sk}`;
