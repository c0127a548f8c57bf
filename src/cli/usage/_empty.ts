import type { Settings } from "../../config/settings.ts"
import type { Database } from "../../database/_database.ts"
import { askRequests } from "../../reports/index.ts"
import { toMoment } from "../_text.ts"

/** What to say when there is nothing to report: how to make the first request, or that the question excludes them all. */
export async function explainEmpty(database: Database, settings: Settings, tz: string): Promise<string> {
  const { rows } = await database.query<{ created_at: Date }>(askRequests({ filters: {}, limit: 1 }))
  const newest = rows[0]?.created_at
  if (newest !== undefined) {
    return `No request fits. The newest of all was on ${toMoment(new Date(newest), tz)}: try a longer --since, or fewer filters.\n`
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
