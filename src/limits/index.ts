import type { Limit } from "../core/limit.ts"
import type { RequestLimits } from "../core/limit-reservation.ts"

/** What one statement asks for one limit and value. Amounts are plain decimals. */
export interface LeaseItem {
  /** The id of the limit. */
  readonly limit: string
  readonly value: string
  /** What the lease of this gateway becomes, before anything is added. */
  readonly holding: string
  /** The part of it that running requests or rows on their way to the database need. */
  readonly in_use: string
  /** What the gateway would like to add, and what it needs at least. */
  readonly wanted: string
  readonly least: string
}

/** The answer for one limit and value. Amounts are plain decimals, times are ISO 8601. */
export interface LeaseAnswer {
  readonly limit: string
  readonly value: string
  /** The lease of this gateway now. */
  readonly granted: string
  /** What rows have used in the present window. */
  readonly used: string
  /** All leases that live, that of this gateway included. */
  readonly leased: string
  /** What the leases of other gateways have that is not in use. */
  readonly idle: string
  readonly amount: string
  readonly windowStart: string
  /** undefined: the window does not end. */
  readonly windowEnd: string | undefined
}

/** The limits of a gateway. */
export interface Limits extends RequestLimits {
  /** Replaces all limits, after they have changed. */
  replace(limits: readonly Limit[]): void
  /** Rows that are in the database, or never will be: their amounts leave the leases. */
  committed(ids: Iterable<string>): void
  /** Another gateway has no room: returns what this one does not need. */
  returnIdle(): void
  /** Returns all leases. Rows that are not in the database yet keep theirs. */
  close(): Promise<void>
}
