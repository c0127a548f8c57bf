import type { Database } from "../../database/_database.ts"
import { readSlowly } from "../../database/slow-read.ts"
import {
  askRollupState,
  askUsage,
  type RollupState,
  readRollupState,
  readsRollups,
  readUsage,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"

/** Answers usage questions about one database. */
export interface Asker {
  /** The state of the rollups when the asker was created. */
  readonly rollups: RollupState
  ask(question: UsageQuestion): Promise<UsageAnswer>
}

/** Creates an asker that reads the rollups where they cover a question, and the rows where they do not. */
export async function createAsker(database: Database): Promise<Asker> {
  const rollups = await readRollups(database)
  return {
    rollups,
    async ask(question) {
      const { rows } = await readSlowly(database, askUsage(question, rollups), {
        serial: readsRollups(question, rollups),
      })
      return readUsage(rows, question)
    },
  }
}

/** Reads what the rollups of a database cover. */
export async function readRollups(database: Database): Promise<RollupState> {
  return readRollupState((await database.query(askRollupState())).rows)
}
