import { requests } from "../../api/routes/requests.ts"
import { listValues } from "../_args.ts"
import { REMOTE, stream } from "../_call.ts"
import { defineCommand } from "../_command.ts"
import { EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { followAgain } from "./_follow.ts"
import { FILTER_OPTIONS, toZone } from "./_options.ts"
import { createTailLines } from "./_tail-line.ts"

const { since: _since, until: _until, period: _period, month: _month, ...FILTERS } = FILTER_OPTIONS

export default defineCommand({
  meta: { name: "tail", description: "requests as they are written, one line each, until Ctrl-C" },
  args: {
    ...FILTERS,
    limit: { type: "string", valueHint: "N", description: "begin with the newest N (default 10)" },
    ...EXACT_OPTION,
    json: { type: "boolean", description: "one JSON object per line" },
    ...REMOTE,
  },
  examples: ["majordomo-gateway usage tail", "majordomo-gateway usage tail --status error --json"],
  async run({ args, rawArgs }) {
    const { model, provider, key, status, limit } = args
    const toLine = createTailLines(toZone(args.tz), findScreen())
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    const input = { model, provider, key, status, where: listValues("where", rawArgs) }
    await followAgain({
      limit,
      signal: stop.signal,
      follow: (first, onRow, onOpen) =>
        stream(args, requests.tail, { ...input, limit: first }, onRow, { signal: stop.signal, onOpen }),
      show: (row) => (args.json ? printJson(row, "one line") : print(toLine(row))),
      note: printMessage,
    })
  },
})
