import type { Database } from "../../database/_database.ts"
import { readMuch } from "../../database/read.ts"
import {
  askGround,
  askUsage,
  CROWD,
  type Ground,
  isOfSums,
  missesPruned,
  readGround,
  readUsage,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import { say } from "../_print.ts"
import { withThousands } from "../_text.ts"

export { PATIENCE_MS } from "../../database/read.ts"

export interface Asker {
  readonly ground: Ground
  ask(question: UsageQuestion): Promise<UsageAnswer>
}

/** Reports of one database, read from its sums where they cover the question. */
export async function createAsker(database: Database): Promise<Asker> {
  const ground = readGround((await database.query(askGround())).rows)
  return {
    ground,
    async ask(question) {
      const { rows } = await readMuch(database, askUsage(question, ground), { serial: isOfSums(question, ground) })
      return readUsage(rows, question)
    },
  }
}

/** What a reader of the answer would otherwise get wrong: requests that were pruned, values that are counted together. */
export function listNotes(question: UsageQuestion, { rows }: UsageAnswer, ground: Ground): string[] {
  const notes: string[] = []
  if (missesPruned(question, ground)) {
    const day = new Date(ground.prunedBefore!).toISOString().slice(0, 10)
    notes.push(`requests before ${day} were pruned; this report needs them and counts later ones only`)
  }
  question.by.forEach(({ metadata }, i) => {
    if (metadata === undefined || !ground.crowded.has(metadata)) return
    if (rows.some(({ values }) => values[i] === "(other)"))
      notes.push(
        `(other): on days with more than ${withThousands(CROWD)} values of ${metadata}, those beyond are counted together`,
      )
  })
  return notes
}

/** Requests by a metadata name are looked up only while it is active; else every one of the period is read. */
export function sayIfNotIndexed(name: string, { indexed }: Ground): void {
  if (indexed.has(name)) return
  say(`note: ${name} is not active, so every request was looked through; quick with: metadata activate ${name}`)
}
