import type { RequestRow } from "../../operations/requests/row.ts"
import { printable, toMoment, withThousands } from "../_text.ts"

/** Renders one request, with a line for each thing that is known about it. */
export function renderRequest(row: RequestRow, tz: string): string {
  const duration = `${withThousands(Number(row["response_time_ms"]))} ms`
  const requested = row["requested_model"]
  const metadata = Object.entries((row["raw_metadata"] ?? {}) as Record<string, string>)
  const lines: (readonly [string, string])[] = [
    ["ID", String(row["id"])],
    ["Time", `${toMoment(new Date(row["requested_at"] as Date), tz)}, ${duration}`],
    ["Key", String(row["key_name"] ?? row["majordomo_api_key_id"])],
    ["Request", `${row["request_method"]} ${row["request_path"]} (${row["provider"]})`],
    ["Model", `${row["model"]}${requested && requested !== row["model"] ? ` (asked for ${requested})` : ""}`],
    ["Status", `${row["status_code"]} ${row["outcome"]}${row["streamed"] ? ", streamed" : ""}`],
    ...(row["websocket_id"] ? [["WebSocket", String(row["websocket_id"])] as const] : []),
    ["Input", renderTokens(row, "input_tokens", { cached_tokens: "cached", cache_creation_tokens: "written" })],
    ["Output", renderTokens(row, "output_tokens", { reasoning_tokens: "reasoning" })],
    ["Usage", String(row["usage_source"])],
    ["Cost", `${row["total_cost"] === null ? "unknown" : `$${row["total_cost"]}`} (${row["cost_status"]})`],
    ...(row["source"] === "telemetry" ? [["Source", "telemetry: the client reported it"] as const] : []),
    ...(row["source"] === "import" ? [["Source", "import: another product has recorded it"] as const] : []),
    ...(row["billing"] ? [["Billing", `${row["billing"]}: the cost is what the API would have charged`] as const] : []),
    ...(row["error_message"] ? [["Error", String(row["error_message"])] as const] : []),
    ...metadata,
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(value)}`).join("\n")
}

/** Renders a number of tokens and its parts: `1,000 (400 cached)`. */
function renderTokens(row: RequestRow, column: string, parts: Readonly<Record<string, string>>): string {
  const shown = Object.entries(parts).flatMap(([name, noun]) => {
    const count = Number(row[name])
    return count > 0 ? [`${withThousands(count)} ${noun}`] : []
  })
  return `${withThousands(String(row[column]))}${shown.length === 0 ? "" : ` (${shown.join(", ")})`}`
}
