/** What a gateway asks for one limit and one value of its `per`. Amounts are plain decimals in the unit of the measure. */
export interface LeaseItem {
  /** The id of the limit. */
  readonly limit: string
  readonly value: string
  /** What the gateway keeps of its lease. It returns the rest, or extends the lease for what it used already. */
  readonly holding: string
  /** The part of `holding` that is reserved by running requests, or used by rows that are not committed. */
  readonly in_use: string
  /** What the gateway would like to have in addition. */
  readonly wanted: string
  /** It gets nothing if less than this is free. */
  readonly least: string
}

/** The state of one item after it was applied. Amounts are plain decimals. */
export interface LeaseState {
  readonly limit: string
  readonly value: string
  /** All that the gateway holds now. */
  readonly granted: string
  /** What committed rows have used in the present window, or in a later one if that is more. */
  readonly used: string
  /** All live leases, the own one included. */
  readonly leased: string
  /** What other gateways hold and do not use. */
  readonly idle: string
  readonly amount: string
  /** Ms since the epoch; 0 for a limit without an end. */
  readonly windowStart: number
  /** undefined for a limit without an end. */
  readonly windowEnd: number | undefined
}
