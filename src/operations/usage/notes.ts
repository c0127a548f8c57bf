import {
  findIncompleteName,
  MAX_VALUES_PER_DAY,
  missesPrunedRows,
  type RollupState,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"

/**
 * Lists what a reader would otherwise get wrong: requests that were pruned, or pruned before a metadata name was active, and
 * values that are counted together.
 */
export function listNotes(
  question: Pick<UsageQuestion, "by" | "period" | "filters">,
  { rows }: { readonly rows: readonly Pick<UsageAnswer["rows"][number], "values">[] },
  rollups: RollupState,
): string[] {
  const notes: string[] = []
  if (missesPrunedRows(question, rollups)) {
    const day = toDay(rollups.prunedBefore!)
    notes.push(`requests before ${day} were pruned; this report needs them and counts later ones only`)
  }
  const incomplete = findIncompleteName(question, rollups)
  if (incomplete !== undefined) {
    const { name, since } = incomplete
    const isFilter = Object.hasOwn(question.filters.where ?? {}, name)
    const effect = isFilter ? "this report does not count them" : "they are counted under (none)"
    notes.push(
      `requests before ${toDay(since)} were pruned before ${name} was active, so their values are not known: ${effect}`,
    )
  }
  question.by.forEach(({ metadata }, i) => {
    if (metadata === undefined || !rollups.overflowing.has(metadata)) return
    if (!rows.some(({ values }) => values[i] === "(other)")) return
    const limit = MAX_VALUES_PER_DAY.toLocaleString("en-US")
    notes.push(`(other): on days with more than ${limit} values of ${metadata}, those beyond are counted together`)
  })
  return notes
}

/** Returns the day (UTC) of a time in ms since the epoch. */
export function toDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
