import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import { openPrices } from "../open/prices.ts"
import { toSourceResult } from "../prices/refresh.ts"
import { type Finding, findingsOf } from "./finding.ts"

const { ok, warning, problem } = findingsOf("prices")

/** The lists change every few days. */
const MAX_LIST_AGE_MS = 30 * 86_400_000

/** Checks that the price files can be read and the lists can be fetched. Fetched lists are stored for the next start. */
export async function checkPrices(context: Context<"settings" | "log">): Promise<Finding[]> {
  try {
    const book = await openPrices(context)
    const results = await book.refresh()
    const models = `${book.modelCount().toLocaleString("en-US")} models have a price`
    book.close()
    return [toFinding(models, results.map(toSourceResult))]
  } catch (error) {
    if (error instanceof CommandError) return [problem(error.message)]
    throw error
  }
}

function toFinding(models: string, results: readonly ReturnType<typeof toSourceResult>[]): Finding {
  const on = results.filter(({ status }) => status !== "off")
  const failed = on.filter(({ status }) => status === "failed")
  if (failed.length > 0) {
    const reasons = failed.map(({ source, reason }) => `${source}: ${reason}`).join("; ")
    const fix =
      "let this machine reach the addresses in the pricing settings, or set those that you do not need to nothing"
    return warning(`${models}, but a price list could not be fetched (${reasons})`, fix)
  }
  if (on.length === 0) return ok(`${models}; no list is fetched, because the addresses in the settings are empty`)
  const days = on.map(({ source, updated_at: day }) => `${source} of ${day}`).join(", ")
  const isOld = on.some(({ updated_at: day }) => day !== null && Date.now() - Date.parse(day) > MAX_LIST_AGE_MS)
  if (isOld) return warning(`${models}, but a list is old: ${days}`, "check whether its address is still maintained")
  return ok(`${models}; lists: ${days}`)
}
