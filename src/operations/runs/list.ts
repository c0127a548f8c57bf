import { type ReadSlowly, readInSnapshot } from "../../database/slow-read.ts"
import {
  askNewestRuns,
  askRuns,
  askTheseRuns,
  countRuns,
  type RollupState,
  RUN_FIELDS,
  RUN_SORTS,
  type Run,
  type RunsQuestion,
  readRun,
  readsRunRollup,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { readRollups } from "../usage/asker.ts"

export { RUN_FIELDS, RUN_SORTS, type Run }

/** How many of the newest requests are read to find the newest runs, at first and at most. */
const FIRST_ROWS = 2_000
const MAX_ROWS = 200_000

/** Lists the agent runs that have a request in the period. */
export function listRuns({ database }: Context<"database">, question: RunsQuestion): Promise<readonly Run[]> {
  return readInSnapshot(database, async (read) => findRuns(read, question, await readRollups(read)))
}

/** Lists agent runs, and counts them without the limit, which reads every request of a run in the period. */
export function listAndCountRuns(
  { database }: Context<"database">,
  question: RunsQuestion,
): Promise<{ readonly runs: readonly Run[]; readonly total: number }> {
  return readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    const serial = readsRunRollup(question, rollups)
    const { rows } = await read<{ total: number }>(countRuns(question, rollups), { serial })
    return { runs: await findRuns(read, question, rollups), total: rows[0]!.total }
  })
}

async function findRuns(read: ReadSlowly, question: RunsQuestion, rollups: RollupState): Promise<readonly Run[]> {
  const newest = await findNewest(read, question, rollups)
  const { rows } =
    newest === undefined
      ? await read(askRuns(question, rollups), { serial: readsRunRollup(question, rollups) })
      : await read(askTheseRuns(newest, question, rollups))
  return rows.map(readRun)
}

/** Finds the ids of the newest runs. Returns undefined if only all requests of the period can tell the runs. */
async function findNewest(
  read: ReadSlowly,
  question: RunsQuestion,
  rollups: RollupState,
): Promise<readonly string[] | undefined> {
  const { sort = "time", limit } = question
  if (sort !== "time") return undefined
  for (let wanted = Math.max(FIRST_ROWS, 20 * limit); wanted <= MAX_ROWS; wanted *= 10) {
    const { rows } = await read<{ traces: string[]; is_whole: boolean }>(askNewestRuns(question, wanted, rollups))
    const { traces, is_whole } = rows[0]!
    if (is_whole || traces.length === limit) return traces
  }
  return undefined
}
