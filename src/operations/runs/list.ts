import { readInSnapshot } from "../../database/slow-read.ts"
import {
  askRuns,
  type Filters,
  type Period,
  RUN_FIELDS,
  RUN_SORTS,
  type Run,
  type RunSort,
  readRun,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { readRollups } from "../usage/asker.ts"

export { RUN_FIELDS, RUN_SORTS, type Run }

interface RunsInput {
  readonly filters: Filters
  readonly period: Period
  readonly sort?: RunSort | undefined
  readonly limit: number
  readonly withLabels?: boolean | undefined
}

interface RunList {
  readonly runs: readonly Run[]
  /** The number of runs without the limit. */
  readonly total: number
}

/** Lists the agent runs that have a request in the period. */
export async function listRuns({ database }: Context<"database">, input: RunsInput): Promise<RunList> {
  const { rows } = await readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    return read(askRuns(input, rollups))
  })
  return { runs: rows.map(readRun), total: Number(rows[0]?.["total"] ?? 0) }
}
