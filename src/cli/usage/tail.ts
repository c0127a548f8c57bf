import { followRequests, MAX_ROWS_PER_POLL } from "../../operations/requests/follow.ts"
import { type RequestRow, toRequestObject } from "../../operations/requests/row.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand } from "../_command.ts"
import { createConnect } from "../_open.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { FILTER_OPTIONS, toFilters, toZone } from "./_options.ts"
import { createTailLines } from "./_tail-line.ts"

const { since: _since, until: _until, ...FILTERS } = FILTER_OPTIONS

export default defineCommand({
  meta: { name: "tail", description: "requests as they are written, one line each, until Ctrl-C" },
  args: {
    ...FILTERS,
    limit: { type: "string", valueHint: "N", description: "begin with the newest N (default 10)" },
    json: { type: "boolean", description: "one JSON object per line" },
    ...COMMON,
  },
  examples: ["majordomo-gateway usage tail", "majordomo-gateway usage tail --status error --json"],
  async run({ args, rawArgs }) {
    const filters = toFilters(args, rawArgs)
    const first = parseWhole("limit", args.limit, { min: 0, max: MAX_ROWS_PER_POLL }) ?? 10
    const toLine = createTailLines(toZone(args.tz), findScreen())
    const printRow = (row: RequestRow) => (args.json ? printJson(toRequestObject(row), "one line") : print(toLine(row)))
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    const connect = await createConnect(args.config)
    for await (const event of followRequests({ connect, signal: stop.signal }, { filters, first })) {
      if (event.type === "rows") event.rows.forEach(printRow)
      else printMessage(MESSAGES[event.type])
    }
  },
})

const MESSAGES = {
  outage: "The gateway or its database is gone; waiting for it to come back (Ctrl-C ends).",
  recovered: "The database answers again.",
} as const
