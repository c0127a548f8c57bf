/** The prices of one model in one price list, from a time on. */
export interface PriceChange {
  /** The name of the price list. */
  readonly source: string
  /** The ids of the provider and of the model, as the price book has them. */
  readonly provider: string
  readonly model: string
  /** The time from which the prices apply, in milliseconds since the epoch. */
  readonly from: number
  /**
   * The time at which the list was first seen with the prices. It is later than `from` for the first prices that were
   * seen of a model, which apply from the day of the list.
   */
  readonly seenAt: number
  /** The prices in the form of the list; `null` if it no longer has the model. */
  readonly prices: unknown
}

/** Stores the changes of prices for all gateways of a database. */
export interface PriceHistoryStore {
  /**
   * Returns the changes that were stored since the last call, at first all of them.
   * @throws if the database cannot be reached
   */
  readNew(): Promise<readonly PriceChange[]>
  /**
   * Stores changes. One that is stored already stays as it is, or gets its earlier time.
   * @throws if the database cannot be reached
   */
  add(changes: readonly PriceChange[]): Promise<void>
}
