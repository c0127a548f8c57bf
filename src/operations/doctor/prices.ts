import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import { openPrices } from "../open/prices.ts"
import { type Finding, findingsOf } from "./finding.ts"

const { ok, warning, problem } = findingsOf("prices")

/** Checks that the price files can be read and the list can be fetched. A fetched list is stored for the next start. */
export async function checkPrices(context: Context<"settings" | "log">): Promise<Finding[]> {
  try {
    const book = await openPrices(context)
    const result = await book.refresh()
    const models = `${book.modelCount().toLocaleString("en-US")} models have a price`
    book.close()
    if (result.status === "off") return [ok(`${models}; pricing.remote_url is empty, so no list is fetched`)]
    if (result.status !== "failed") return [ok(`${models}; the list is from ${result.day}`)]
    const fix = "let this machine reach pricing.remote_url, or set it to nothing to do without the list"
    return [warning(`${models}, but the price list could not be fetched: ${result.reason}`, fix)]
  } catch (error) {
    if (error instanceof CommandError) return [problem(error.message)]
    throw error
  }
}
