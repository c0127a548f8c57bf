import { type Bodies, type BodyRow, createBodyReader } from "../../bodies/read.ts"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { askRequest, toRequestObject } from "../../reports/index.ts"
import { parseRequestId } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, printPiece, say } from "../_print.ts"
import { printable, toMoment, withThousands } from "../_text.ts"
import { renderBodies, type Sides, toBodyObject, toBytes, toSides } from "./_bodies.ts"
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
    body: {
      type: "boolean",
      description: "its bodies, from wherever they are; alone in a pipe: their bytes as they were",
    },
    request: { type: "boolean", description: "of its bodies, the request's alone" },
    response: { type: "boolean", description: "of its bodies, the response's alone" },
    tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --explain",
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --body",
  ],
  async run({ args }) {
    const id = parseRequestId(args.id)
    const tz = toZone(args.tz)
    const sides = toSides(args)
    await withDatabase(args.config, async (database, settings) => {
      const { rows } = await database.query(askRequest(id))
      const row = rows[0]
      if (row === undefined) {
        throw new CommandError(`there is no request ${id}; a row arrives within a second of its answer's end`)
      }
      const bodies = sides.length > 0 ? await readBodies(row as unknown as BodyRow, settings) : undefined
      const screen = findScreen()
      if (args.json) {
        const explanation = args.explain ? { explanation: explain(row) } : {}
        printJson({ ...toRequestObject(row), ...explanation, ...(bodies && toBodyObject(bodies, sides)) })
      } else if (bodies && !args.explain && screen.width === undefined) await printBytes(bodies, sides)
      else {
        print(renderRequest(row, tz))
        if (args.explain) print(`\n${renderExplanation(row, screen)}`)
        if (bodies) print(`\n${renderBodies(bodies, sides)}`)
      }
    })
  },
})

const NO_BODIES: Bodies = { source: "none", request: { kind: "none" }, response: { kind: "none" } }

/** Bodies that cannot be read are said and are no reason not to show the rest. */
async function readBodies(row: BodyRow, settings: Settings): Promise<Bodies> {
  const reader = createBodyReader(settings.s3)
  try {
    return await reader.read(row)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    say(`note: ${error.message}`)
    return NO_BODIES
  } finally {
    await reader.close()
  }
}

async function printBytes(bodies: Bodies, sides: Sides): Promise<void> {
  if (sides.every((side) => bodies[side].kind === "none")) say("note: nothing of it was kept")
  for (const side of sides) {
    const bytes = toBytes(bodies[side])
    await printPiece(bytes)
    // One alone is its bytes and nothing else.
    if (sides.length > 1 && bytes.length > 0 && bytes.at(-1) !== 0x0a) await printPiece("\n")
  }
}

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
