import type { OwnPrice } from "./own-prices.ts"

/** A price that somebody set for all gateways of a database. */
export interface PriceOverride {
  /** In lower case, as the provider. */
  readonly model: string
  /** Null: at every provider. */
  readonly provider: string | null
  /** It applies from its day `from` until the day of the next price of the model. */
  readonly price: OwnPrice
}

/** The prices that were set in the database. */
export interface PriceOverrideStore {
  /**
   * Returns all prices that were set; none if the schema is older.
   * @throws if the database cannot be reached
   */
  read(): Promise<readonly PriceOverride[]>
  /**
   * Calls `onChange` after each change, and whenever a change may have been missed. Resolves after the first attempt to
   * listen, whether it succeeded or not.
   */
  listen(onChange: () => void): Promise<{ close(): Promise<void> }>
}
