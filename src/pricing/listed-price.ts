/** One row of llm-prices.com, as `current-v1.json` has it. Prices are in USD per million tokens. */
export interface ListedPrice extends ListedRates {
  readonly id: string
  readonly vendor: string
  readonly name: string
}

export interface ListedRates {
  readonly input: number
  readonly output: number
  readonly input_cached: number | null
}
