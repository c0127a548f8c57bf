/** One row of llm-prices.com, as `current-v1.json` has it. Prices are in USD per million tokens. */
export interface ListedPrice {
  readonly id: string
  readonly vendor: string
  readonly name: string
  readonly input: number
  readonly output: number
  readonly input_cached: number | null
}
