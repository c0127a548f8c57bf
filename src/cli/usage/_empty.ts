import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { listMetadata } from "../../database/metadata.ts"
import {
  askRequests,
  askRollupState,
  DIMENSIONS,
  type Dimension,
  type Period,
  readRollupState,
  type UsageAnswer,
} from "../../reports/index.ts"
import { toMoment } from "../_text.ts"

/** What to say when there is nothing to report: that the period is yet to come, how to make the first request, or that the question excludes them all. */
export async function explainEmpty(
  database: Database,
  settings: Settings,
  period: Period,
  now: number,
): Promise<string> {
  const { tz } = period
  if (period.since > now) {
    const begin = toMoment(new Date(period.since), tz)
    return `The period begins in the future, on ${begin} (${tz}); it is ${toMoment(new Date(now), tz)} now.\n`
  }
  const { rows } = await database.query<{ created_at: Date }>(askRequests({ filters: {}, limit: 1 }))
  const newest = rows[0]?.created_at
  if (newest !== undefined) {
    return `No request fits. The newest of all was on ${toMoment(new Date(newest), tz)}: try a longer --since, or fewer filters.\n`
  }
  const { prunedBefore } = readRollupState((await database.query(askRollupState())).rows)
  if (prunedBefore !== undefined) {
    const day = new Date(prunedBefore).toISOString().slice(0, 10)
    return `No request fits: those before ${day} were pruned. Their sums are left: usage --by model, provider, key or a time.\n`
  }
  const { host, port } = settings.server
  const url = `http://${/^(0\.0\.0\.0|127\.0\.0\.1|::1?|\[::1?\])$/.test(host) ? "localhost" : host}:${port}`
  return `No requests yet. With the gateway running (majordomo-gateway serve), this makes the first one:

  curl ${url}/v1/chat/completions \\
    -H "X-Majordomo-Key: mdm_sk_…" \\
    -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'

A key for it: majordomo-gateway keys create --name Development
`
}

/**
 * Refuses a metadata name that no request has ever carried, with the names that there are: it is a slip, and a table of
 * nothing but "(none)" would hide that.
 */
export async function refuseUnknownName(
  database: Database,
  by: readonly Dimension[],
  { rows, total }: UsageAnswer,
): Promise<void> {
  const at = by.findIndex(({ metadata }, i) => metadata !== undefined && rows.every(({ values }) => values[i] === null))
  if (at < 0 || total.requests === 0) return
  const name = by[at]!.name
  const names = (await listMetadata(database)).map((known) => known.name)
  if (names.includes(name)) return
  const seen =
    names.length === 0 ? "no request carried metadata yet" : `requests carried ${names.slice(0, 20).join(", ")}`
  throw new CommandError(
    `--by: there is no dimension ${JSON.stringify(name)}; there are ${Object.keys(DIMENSIONS).join(", ")}, and of metadata ${seen}`,
    2,
  )
}
