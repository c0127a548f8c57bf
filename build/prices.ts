/** Fields that are not used here: texts for people, and the package's own rules for reading responses. */
const UNREAD = new Set(["name", "description", "price_comments", "prices_checked", "pricing_urls", "extractors"])

/**
 * Returns a module with the package's data only, without unused fields, as JSON text that is parsed when it is loaded.
 */
export async function leanPrices(): Promise<string> {
  const { waitForUpdate } = await import("@pydantic/genai-prices")
  const providers = await waitForUpdate()
  if (!Array.isArray(providers) || providers.length === 0) throw new Error("@pydantic/genai-prices returned no data")
  const text = JSON.stringify(providers, (key, value: unknown) => (UNREAD.has(key) ? undefined : value))
  return `const data = JSON.parse(${quote(text)})\nexport const waitForUpdate = async () => data`
}

/** Quotes with single quotes, because JSON is full of double quotes. */
function quote(json: string): string {
  return `'${json.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029")}'`
}
