/** Words for people, and the rules by which the package itself reads answers: nothing of it decides a price here. */
const UNREAD = new Set(["name", "description", "price_comments", "prices_checked", "pricing_urls", "extractors"])

/** The package's data alone, without its engine and what we do not read, as text that is parsed when it is loaded. */
export async function leanPrices(): Promise<string> {
  const { waitForUpdate } = await import("@pydantic/genai-prices")
  const providers = await waitForUpdate()
  if (!Array.isArray(providers) || providers.length === 0) throw new Error("@pydantic/genai-prices gave no data")
  const text = JSON.stringify(providers, (key, value: unknown) => (UNREAD.has(key) ? undefined : value))
  return `const data = JSON.parse(${quote(text)})\nexport const waitForUpdate = async () => data`
}

/** JSON is full of double quotes, which single ones need not escape. */
function quote(json: string): string {
  return `'${json.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029")}'`
}
