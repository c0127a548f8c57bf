import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { askNew, type Filters, OVERLAP_MS, toRequestObject } from "../../reports/index.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand } from "../_command.ts"
import { createJoin, isWithoutSchema, NO_SCHEMA } from "../_open.ts"
import { findScreen, print, printJson, say } from "../_print.ts"
import { FILTER_OPTIONS, toFilters, toZone } from "./_question.ts"
import { createTailLines } from "./_tail-line.ts"

const { since: _since, until: _until, ...FILTERS } = FILTER_OPTIONS
const LOOK_MS = 500
/** More than so many new rows at one look: the newest are shown, and how many were not is said. */
const MAX_ROWS = 500

export default defineCommand({
  meta: { name: "tail", description: "requests as they come, one line each, until Ctrl-C" },
  args: {
    ...FILTERS,
    limit: { type: "string", valueHint: "N", description: "begin with the newest N (default 10)" },
    json: { type: "boolean", description: "one JSON object per line" },
    ...COMMON,
  },
  examples: ["majordomo-gateway usage tail", "majordomo-gateway usage tail --status error --json"],
  async run({ args, rawArgs }) {
    const tz = toZone(args.tz)
    const filters = toFilters(args, rawArgs)
    const first = parseWhole("limit", args.limit, { min: 0, max: MAX_ROWS }) ?? 10
    const lines = createTailLines(tz, findScreen())
    const show = (rows: readonly Row[]) => {
      for (const row of rows) args.json ? printJson(toRequestObject(row), "one line") : print(lines(row))
    }
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    const join = await createJoin(args.config)
    await follow({ join, filters, first, show, signal: stop.signal })
  },
})

type Row = Record<string, unknown>

interface Following {
  readonly join: () => Promise<Database>
  readonly filters: Filters
  readonly first: number
  readonly show: (rows: readonly Row[]) => void
  readonly signal: AbortSignal
}

/** Looks again and again until the signal; a gateway or database that goes away is waited for. */
async function follow({ join, filters, first, show, signal }: Following): Promise<void> {
  const seen = new Map<string, number>()
  let database: Database | undefined = await join()
  try {
    show((await look(database, filters, seen, Math.max(1, first))).slice(-first || Number.POSITIVE_INFINITY))
    while (await pause(signal)) {
      try {
        if (database === undefined) {
          database = await join()
          say("The database answers again.")
        }
        const rows = await look(database, filters, seen, MAX_ROWS)
        show(rows)
        if (rows.length === MAX_ROWS) say(`(more than ${MAX_ROWS} at once: the others are not shown)`)
      } catch (error) {
        if (!isOutage(error)) throw error
        if (database !== undefined)
          say("The gateway or its database is gone; waiting for it to come back (Ctrl-C ends).")
        await database?.close()
        database = undefined
      }
    }
  } catch (error) {
    throw isWithoutSchema(error) ? new CommandError(NO_SCHEMA) : error
  } finally {
    await database?.close()
  }
}

/** Until the next look; false: there is none. */
async function pause(signal: AbortSignal): Promise<boolean> {
  await delay(LOOK_MS, undefined, { signal }).catch(() => {})
  return !signal.aborted
}

/** What came since the last look, oldest first. */
async function look(database: Database, filters: Filters, seen: Map<string, number>, limit: number): Promise<Row[]> {
  const newest = Math.max(...seen.values(), 0)
  const since = newest === 0 ? 0 : newest - OVERLAP_MS
  for (const [id, at] of seen) if (at < since) seen.delete(id)
  const { rows } = await database.query(askNew({ filters, since, seen: [...seen.keys()], limit }))
  for (const row of rows) seen.set(String(row["id"]), new Date(row["created_at"] as Date).getTime())
  return rows.reverse()
}

/** A refusal of the server is about the question; everything else is about whether it is there. */
function isOutage(error: unknown): boolean {
  if (error instanceof CommandError) return true
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code !== "string" || !/^(22|42)/.test(code)
}
