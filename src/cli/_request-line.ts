import type { LogRecord } from "../core/log-record.ts"
import { truncateText } from "../core/text.ts"
import { printable, toSeconds, withThousands } from "./_text.ts"

const MAX_MODEL_LENGTH = 60

/**
 * Returns the line of the log for a request:
 * `12:03:11  anthropic  claude-sonnet-4-5  200 stream  1.9s  in 87,000 (80,000 cached)  out 1,000  $0.0638  chat-bot  ann`
 */
export function toRequestLine(record: LogRecord): string {
  const parts = [
    new Date(record.responded_at).toTimeString().slice(0, 8),
    record.provider,
    clean(record.model) || record.request_path,
    `${record.status_code}${record.streamed ? " stream" : ""}`,
    toSeconds(record.response_time_ms),
    ...toTokens(record),
    toCost(record),
    ...toAttribution(record),
  ]
  if (record.outcome !== "complete") parts.push(record.outcome.replace("_", " "))
  return parts.filter((part) => part !== "").join("  ")
}

/** Returns the feature and the user of a request, which is what its cost is for. */
function toAttribution({ raw_metadata: metadata }: LogRecord): string[] {
  return ["Feature", "User-Id"].map((name) => clean(metadata?.[name] ?? ""))
}

function toTokens(record: LogRecord): string[] {
  if (record.input_tokens === 0 && record.output_tokens === 0) return []
  const notes = [
    record.cached_tokens > 0 ? `${withThousands(record.cached_tokens)} cached` : "",
    record.cache_creation_tokens > 0 ? `${withThousands(record.cache_creation_tokens)} written` : "",
  ].filter((note) => note !== "")
  const cached = notes.length === 0 ? "" : ` (${notes.join(", ")})`
  return [`in ${withThousands(record.input_tokens)}${cached}`, `out ${withThousands(record.output_tokens)}`]
}

function toCost(record: LogRecord): string {
  const billing = record.billing === undefined ? "" : ` (${record.billing})`
  if (record.total_cost === undefined) return `unpriced${billing}`
  if (record.cost_status === "free") return "free"
  return `${record.cost_status === "estimated" ? "~" : ""}$${record.total_cost}${billing}`
}

/** The name of a model comes from outside. */
function clean(text: string): string {
  return truncateText(printable(text), MAX_MODEL_LENGTH)
}
