import type { Database } from "../../database/_database.ts"
import { type ReadSlowly, readInSnapshot } from "../../database/slow-read.ts"
import {
  askCharges,
  askDropped,
  askEstimatedCost,
  askRollupState,
  askUsage,
  type Charge,
  type Period,
  type RollupState,
  readCharges,
  readDropped,
  readEstimatedCost,
  readRollupState,
  readsRollups,
  readUsage,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"

/** Answers usage questions about one database. */
export interface Asker {
  /** The state of the rollups. */
  readonly rollups: RollupState
  ask(question: UsageQuestion): Promise<UsageAnswer>
  /** Adds up the lines of price certificates, which only the rows have. */
  askCharges(question: UsageQuestion): Promise<readonly Charge[]>
  /** Adds up the bill of the requests whose cost is estimated, in USD as a plain decimal. Only the rows have it. */
  askEstimatedCost(period: Period): Promise<string>
  /** Counts the requests that have no row, because their rows were dropped. */
  askDropped(period: Period & { readonly until: number }): Promise<number>
}

/**
 * Answers questions from the rollups where they cover a question, and from the rows where they do not. All answers and the
 * state of the rollups are of one moment. `work` must not read the database in another way.
 */
export function withAsker<T>(database: Database, work: (asker: Asker) => Promise<T>): Promise<T> {
  return readInSnapshot(database, async (read) => {
    const rollups = await readRollups(read)
    return work({
      rollups,
      async ask(question) {
        const { rows } = await read(askUsage(question, rollups), { serial: readsRollups(question, rollups) })
        return readUsage(rows, question)
      },
      async askCharges(question) {
        return readCharges((await read(askCharges(question))).rows, question)
      },
      async askEstimatedCost(period) {
        return readEstimatedCost((await read(askEstimatedCost(period))).rows)
      },
      async askDropped(period) {
        return readDropped((await read(askDropped(period))).rows)
      },
    })
  })
}

/** Reads what the rollups of a database cover. */
export async function readRollups(read: ReadSlowly): Promise<RollupState> {
  return readRollupState((await read(askRollupState())).rows)
}
