import { listMetadata } from "../../database/metadata.ts"
import {
  DIMENSIONS,
  type Dimension,
  type Measures,
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
  /** The same for the period that the report is compared with. */
  readonly before?: UsageAnswer | undefined
}

/**
 * Adds up requests by the dimensions of the question.
 *
 * @throws InputError for `by` if it is a metadata name that no request has carried
 */
export async function reportUsage({ database }: Context<"database">, question: UsageQuestion): Promise<UsageReport> {
  const { comparedWith } = question
  const { answer, rollups, before } = await withAsker(database, async ({ ask, rollups }) => ({
    answer: await ask(comparedWith === undefined ? question : { ...question, limit: undefined }),
    before: comparedWith && (await ask({ ...question, period: comparedWith, limit: undefined })),
    rollups,
  }))
  await checkNames({ database }, question.by, answer)
  const notes = listNotes(question, answer, rollups)
  if (before === undefined) return { answer, notes, rollups }
  const earlier = listNotes({ ...question, period: comparedWith! }, before, rollups)
  return {
    answer: withGroupsOf(before, answer, question),
    before,
    notes: [...new Set([...notes, ...earlier])],
    rollups,
  }
}

/** Adds the groups that only the earlier period has, with measures of 0, so that what ended is seen too. */
function withGroupsOf(before: UsageAnswer, answer: UsageAnswer, { limit }: UsageQuestion): UsageAnswer {
  const known = new Set(answer.rows.map(toGroupId))
  const ended = before.rows.filter((row) => !known.has(toGroupId(row)))
  const rows = [...answer.rows, ...ended.map(({ values, keyId }) => ({ ...NOTHING, values, keyId }))]
  return { ...answer, rows: rows.slice(0, limit), groups: rows.length }
}

/** Returns a text that two rows share if they are of the same group. */
export function toGroupId({ values, keyId }: Pick<UsageRow, "values" | "keyId">): string {
  return JSON.stringify([values, keyId])
}

export const NOTHING: Measures = {
  requests: 0,
  errors: 0,
  input_tokens: 0,
  cached_tokens: 0,
  cache_creation_tokens: 0,
  output_tokens: 0,
  total_cost: "0",
  share: 0,
  exact: 0,
  estimated: 0,
  unpriced: 0,
  subscription_requests: 0,
  subscription_value: "0",
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
