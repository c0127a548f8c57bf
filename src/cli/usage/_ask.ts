import type { Database } from "../../database/_database.ts"
import { readMuch } from "../../database/read.ts"
import {
  askGround,
  askUsage,
  type Ground,
  isOfSums,
  missesPruned,
  readGround,
  readUsage,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import { say } from "../_print.ts"

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

/** Tells whom it concerns that older requests are not in a report, for they were pruned. */
export function sayWhatIsMissing(question: UsageQuestion, ground: Ground): void {
  if (!missesPruned(question, ground)) return
  const day = new Date(ground.prunedBefore!).toISOString().slice(0, 10)
  say(`note: requests before ${day} were pruned; this report needs them and counts later ones only`)
}
