import {
  MAX_VALUES_PER_DAY,
  missesPrunedRows,
  type RollupState,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"

/** Lists what a reader would otherwise get wrong: requests that were pruned, and values that are counted together. */
export function listNotes(question: UsageQuestion, { rows }: UsageAnswer, rollups: RollupState): string[] {
  const notes: string[] = []
  if (missesPrunedRows(question, rollups)) {
    const day = new Date(rollups.prunedBefore!).toISOString().slice(0, 10)
    notes.push(`requests before ${day} were pruned; this report needs them and counts later ones only`)
  }
  question.by.forEach(({ metadata }, i) => {
    if (metadata === undefined || !rollups.overflowing.has(metadata)) return
    if (!rows.some(({ values }) => values[i] === "(other)")) return
    const limit = MAX_VALUES_PER_DAY.toLocaleString("en-US")
    notes.push(`(other): on days with more than ${limit} values of ${metadata}, those beyond are counted together`)
  })
  return notes
}
