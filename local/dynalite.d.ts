// Types for the part of dynalite that the local world uses; the package has none.

declare module 'dynalite' {
  import type { Server } from 'node:http';

  export interface DynaliteOptions {
    /** Where the data is kept; in memory without it. */
    path?: string;
    /** Milliseconds that tables take to become active. */
    createTableMs?: number;
    deleteTableMs?: number;
    updateTableMs?: number;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
