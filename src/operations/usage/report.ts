import { listMetadata } from "../../database/metadata.ts"
import {
  DIMENSIONS,
  type Dimension,
  type RollupState,
  SORTS,
  type UsageAnswer,
  type UsageQuestion,
  type UsageRow,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { withAsker } from "./asker.ts"
import { listNotes } from "./notes.ts"

export { SORTS, type UsageAnswer, type UsageQuestion, type UsageRow }

/** A usage report by one or two dimensions, or the total alone. */
interface UsageReport {
  readonly answer: UsageAnswer
  /** Notes that a reader of the numbers needs, one sentence each. */
  readonly notes: readonly string[]
  readonly rollups: RollupState
}

/**
 * Adds up requests by the dimensions of the question.
 *
 * @throws InputError for `by` if it is a metadata name that no request has carried
 */
export async function reportUsage({ database }: Context<"database">, question: UsageQuestion): Promise<UsageReport> {
  const { answer, rollups } = await withAsker(database, async ({ ask, rollups }) => ({
    answer: await ask(question),
    rollups,
  }))
  await checkNames({ database }, question.by, answer)
  return { answer, notes: listNotes(question, answer, rollups), rollups }
}

/**
 * Checks that a metadata name among the dimensions is in use, if none of the requests of a report carries it.
 *
 * @throws InputError for `by`
 */
export async function checkNames(context: Context<"database">, by: readonly Dimension[], answer: Groups) {
  const unused = findUnusedName(by, answer)
  if (unused !== undefined) await checkName(context, unused)
}

interface Groups {
  readonly rows: readonly Pick<UsageRow, "values">[]
  readonly total: { readonly requests: number }
}

function findUnusedName(by: readonly Dimension[], { rows, total }: Groups): string | undefined {
  const at = by.findIndex(({ metadata }, i) => metadata !== undefined && rows.every(({ values }) => values[i] === null))
  return at < 0 || total.requests === 0 ? undefined : by[at]!.name
}

/** A name that no request has ever carried is a typing error. A table that contains only `(none)` would hide it. */
async function checkName({ database }: Context<"database">, name: string): Promise<void> {
  const names = (await listMetadata(database, false)).map((known) => known.name)
  if (names.includes(name)) return
  const seen =
    names.length === 0 ? "no request carried metadata yet" : `requests carried ${names.slice(0, 20).join(", ")}`
  throw new InputError(
    "by",
    `there is no dimension ${JSON.stringify(name)}; there are ${Object.keys(DIMENSIONS).join(", ")}, and of metadata ${seen}`,
  )
}
