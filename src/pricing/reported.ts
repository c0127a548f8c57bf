/** The providers whose own figure is what they charge, by their id in the catalog. */
const TRUSTED: ReadonlySet<string> = new Set([
  // openrouter.ai/docs: `usage.cost` is the amount charged to the account.
  "openrouter",
  // docs.x.ai/developers/cost-tracking: "the actual amount billed", for text, pictures and videos.
  "x-ai",
  "perplexity",
  // The catalog lacks it, so this is its usual name in the settings. It calls its figure an estimate.
  "deepinfra",
])

/**
 * Returns true if the cost that a provider reports is what it charges.
 * @param provider the id of the catalog's provider, or, for a provider that the catalog lacks, its name in the settings
 */
export function chargesWhatItReports(provider: string): boolean {
  return TRUSTED.has(provider.toLowerCase())
}
