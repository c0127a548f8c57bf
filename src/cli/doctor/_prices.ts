import { join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { createPriceBook } from "../../pricing/price-book.ts"
import { say as talk } from "../_print.ts"
import { withThousands } from "../_text.ts"
import { type Finding, finder } from "./_finding.ts"

const say = finder("prices")

/** Whether the price files can be read and the list can be fetched; the list that comes is kept for the next start. */
export async function checkPrices({ pricing, storage }: Settings): Promise<Finding[]> {
  try {
    const cacheFile = join(storage.dataDir, "llm-prices.json")
    const book = await createPriceBook({ ...pricing, cacheFile, now: Date.now, log: talk })
    const result = await book.refresh()
    const models = `${withThousands(book.modelCount())} models have a price`
    book.close()
    if (result.status === "off") return [say.ok(`${models}; pricing.remote_url is empty, so no list is fetched`)]
    if (result.status !== "failed") return [say.ok(`${models}; the list is of ${result.day}`)]
    const fix = "let this machine reach pricing.remote_url, or set it to nothing to do without the list"
    return [say.warning(`${models}, but the price list could not be fetched: ${result.reason}`, fix)]
  } catch (error) {
    if (error instanceof CommandError) return [say.problem(error.message)]
    throw error
  }
}
