// The stream map: which nodes hold which roles for which streams. What every implementation must keep.

import type { Claim, OriginClaim, RegionClaim, StreamClaims } from './claims.ts';

export interface ReadOptions {
  /** True: no older than the last write made in this region. Costs twice as much. Default false. */
  consistent?: boolean;
}

export interface HeldClaims {
  origins: OriginClaim[];
  regions: RegionClaim[];
  /** For the next page; undefined: there is none. */
  next?: string;
}

/**
 * Every item has one writing region: a node writes claims of its own region only, and there a conditional write
 * decides who holds the role. What is unique across regions (the active origin) is computed by the reader.
 */
export interface StreamMap {
  /** All claims of a stream; empty lists when it is unknown. */
  read(stream: string, options?: ReadOptions): Promise<StreamClaims>;

  /**
   * Writes an origin claim where the map still holds `seen` for its region and priority (undefined: nothing).
   * @returns false when another claim got there first.
   */
  claimOrigin(claim: OriginClaim, seen: OriginClaim | undefined): Promise<boolean>;

  /** Writes what the claim says of yielding, and its revision, if the map still holds it; true when it did. */
  setYields(claim: OriginClaim): Promise<boolean>;

  /** As {@link claimOrigin}, for a region's secondary origin. */
  claimRegion(claim: RegionClaim, seen: RegionClaim | undefined): Promise<boolean>;

  /** Marks the claim released if the map still holds it; true when it did. */
  release(claim: Claim): Promise<boolean>;

  /** The claims that are held, of all streams, a page at a time, in no order; a stream's are on one page. */
  held(page: { limit: number; after?: string | undefined }): Promise<HeldClaims>;
}
