import { CommandError } from "../../core/errors.ts"
import { askRequest, toRequestObject } from "../../reports/index.ts"
import { parseRequestId } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { printable, toMoment, withThousands } from "../_text.ts"
import { explain, renderExplanation } from "./_explain.ts"
import { toZone } from "./_question.ts"

type Row = Readonly<Record<string, unknown>>

export default defineCommand({
  meta: { name: "request", description: "one request; --explain prints the sum of its cost line by line" },
  args: {
    id: {
      type: "positional",
      required: true,
      description: "the row's id, which the caller got as X-Majordomo-Request-Id",
    },
    explain: { type: "boolean", description: "how its cost was computed" },
    body: { type: "boolean", description: "its bodies, where they were kept" },
    tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --explain"],
  async run({ args }) {
    const id = parseRequestId(args.id)
    const tz = toZone(args.tz)
    await withDatabase(args.config, async (database) => {
      const { rows } = await database.query(askRequest(id))
      const row = rows[0]
      if (row === undefined) {
        throw new CommandError(`there is no request ${id}; a row arrives within a second of its answer's end`)
      }
      const bodies = { request_body: row["request_body"] ?? null, response_body: row["response_body"] ?? null }
      const explanation = args.explain ? { explanation: explain(row) } : {}
      if (args.json) printJson({ ...toRequestObject(row), ...explanation, ...(args.body ? bodies : {}) })
      else {
        print(renderRequest(row, tz))
        if (args.explain) print(`\n${renderExplanation(row, findScreen())}`)
        if (args.body) print(`\n${renderBodies(row)}`)
      }
    })
  },
})

function renderRequest(row: Row, tz: string): string {
  const cached = Number(row["cached_tokens"])
  const written = Number(row["cache_creation_tokens"])
  const reasoning = Number(row["reasoning_tokens"])
  const parts = (all: readonly [number, string][]) => {
    const said = all.filter(([count]) => count > 0).map(([count, what]) => `${withThousands(count)} ${what}`)
    return said.length === 0 ? "" : ` (${said.join(", ")})`
  }
  const requested = row["requested_model"]
  const metadata = Object.entries((row["raw_metadata"] ?? {}) as Record<string, string>)
  const lines: (readonly [string, string])[] = [
    ["ID", String(row["id"])],
    [
      "Time",
      `${toMoment(new Date(row["requested_at"] as Date), tz)}, ${withThousands(Number(row["response_time_ms"]))} ms`,
    ],
    ["Key", String(row["key_name"] ?? row["majordomo_api_key_id"])],
    ["Request", `${row["request_method"]} ${row["request_path"]} (${row["provider"]})`],
    ["Model", `${row["model"]}${requested && requested !== row["model"] ? ` (asked for ${requested})` : ""}`],
    ["Status", `${row["status_code"]} ${row["outcome"]}${row["streamed"] ? ", streamed" : ""}`],
    [
      "Input",
      `${withThousands(String(row["input_tokens"]))}${parts([
        [cached, "cached"],
        [written, "written"],
      ])}`,
    ],
    ["Output", `${withThousands(String(row["output_tokens"]))}${parts([[reasoning, "reasoning"]])}`],
    ["Usage", String(row["usage_source"])],
    ["Cost", `${row["total_cost"] === null ? "unknown" : `$${row["total_cost"]}`} (${row["cost_status"]})`],
    ...(row["error_message"] ? [["Error", String(row["error_message"])] as const] : []),
    ...metadata.map(([name, value]) => [name, value] as const),
  ]
  const width = Math.max(...lines.map(([name]) => name.length))
  return lines.map(([name, value]) => `${printable(name).padEnd(width)}  ${printable(value)}`).join("\n")
}

function renderBodies(row: Row): string {
  const show = (name: string, body: unknown) =>
    body === null || body === undefined ? `${name}: not kept` : `${name}:\n${printable(String(body), "lines")}`
  return [show("Request body", row["request_body"]), show("Response body", row["response_body"])].join("\n\n")
}
