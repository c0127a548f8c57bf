import type { Database } from "../../database/_database.ts"
import { readSlowly } from "../../database/slow-read.ts"
import {
  askRollupState,
  askUsage,
  MAX_VALUES_PER_DAY,
  missesPrunedRows,
  type RollupState,
  readRollupState,
  readsRollups,
  readUsage,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import { say } from "../_print.ts"
import { withThousands } from "../_text.ts"

export interface Asker {
  readonly ground: RollupState
  ask(question: UsageQuestion): Promise<UsageAnswer>
}

/** Reports of one database, read from its sums where they cover the question. */
export async function createAsker(database: Database): Promise<Asker> {
  const ground = readRollupState((await database.query(askRollupState())).rows)
  return {
    ground,
    async ask(question) {
      const { rows } = await readSlowly(database, askUsage(question, ground), {
        serial: readsRollups(question, ground),
      })
      return readUsage(rows, question)
    },
  }
}

/** What a reader of the answer would otherwise get wrong: requests that were pruned, values that are counted together. */
export function listNotes(question: UsageQuestion, { rows }: UsageAnswer, ground: RollupState): string[] {
  const notes: string[] = []
  if (missesPrunedRows(question, ground)) {
    const day = new Date(ground.prunedBefore!).toISOString().slice(0, 10)
    notes.push(`requests before ${day} were pruned; this report needs them and counts later ones only`)
  }
  question.by.forEach(({ metadata }, i) => {
    if (metadata === undefined || !ground.overflowing.has(metadata)) return
    if (rows.some(({ values }) => values[i] === "(other)"))
      notes.push(
        `(other): on days with more than ${withThousands(MAX_VALUES_PER_DAY)} values of ${metadata}, those beyond are counted together`,
      )
  })
  return notes
}

/** Requests by a metadata name are looked up only while it is active; else every one of the period is read. */
export function sayIfNotIndexed(name: string, { indexed }: RollupState): void {
  if (indexed.has(name)) return
  say(`note: ${name} is not active, so every request was looked through; quick with: metadata activate ${name}`)
}
