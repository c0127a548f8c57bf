import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import type { SourceRefresh } from "../../pricing/price-sources.ts"
import type { Context, Database } from "../context.ts"

/** The result of one price list. */
interface SourceResult {
  readonly source: SourceRefresh["source"]
  readonly status: SourceRefresh["status"]
  /** The day of the price list, `2026-11-28`; null if it was not fetched. */
  readonly updated_at: string | null
  readonly models: number | null
  /** Why the list could not be fetched, or the setting that turns it on. */
  readonly reason: string | null
}

/** The results of all lists, after that of the first one that is fetched. */
interface RefreshResult extends Pick<SourceResult, "status" | "updated_at" | "models"> {
  readonly sources: readonly SourceResult[]
}

/** The settings with the addresses of the lists. */
const SETTING: Readonly<Record<SourceRefresh["source"], string>> = {
  "llm-prices.com": "pricing.remote_url",
  "genai-prices": "pricing.catalog_url",
  litellm: "pricing.litellm_url",
}

/** Without a database, or while it cannot be reached, the audit log misses the refresh. */
type RefreshContext = Context<"prices" | "actor"> & { readonly database?: Database | undefined }

/**
 * Fetches the price lists and stores them for the next start. The prices of a list that cannot be fetched stay as they
 * are.
 *
 * @throws CommandError if no list has an address
 */
export async function refreshPrices({ prices, actor, database }: RefreshContext): Promise<RefreshResult> {
  const sources = (await prices.refresh()).map(toSourceResult)
  const first = sources.find(({ status }) => status !== "off")
  if (first === undefined) {
    throw new CommandError(`${Object.values(SETTING).join(", ")} are empty: there is nothing to fetch`)
  }
  const { status, updated_at, models } = first
  const result = { status, updated_at, models, sources }
  const change = { action: "pricing.refresh", target: null, after: { sources } }
  if (database) await recordChange(database.query, actor, change).catch(() => {})
  return result
}

/** Returns the result of one source in the form of JSON. */
export function toSourceResult(result: SourceRefresh): SourceResult {
  const { source, status } = result
  const isFetched = result.status === "updated" || result.status === "unchanged"
  const reason = result.status === "off" ? `${SETTING[source]} is empty` : null
  return {
    source,
    status,
    updated_at: isFetched ? result.day : null,
    models: isFetched ? result.models : null,
    reason: result.status === "failed" ? result.reason : reason,
  }
}
