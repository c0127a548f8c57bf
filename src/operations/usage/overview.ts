import {
  DIMENSIONS,
  listDays,
  metadataDimension,
  type Period,
  type RollupState,
  toPreviousPeriod,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { type Asker, withAsker } from "./asker.ts"
import { listNotes } from "./notes.ts"

/** A period at a glance: its total, the period before, and where its cost came from. */
export interface Overview {
  readonly question: UsageQuestion
  /** Only the total. */
  readonly current: UsageAnswer
  /** The period that it is compared with, and its total: the period before, unless the question names another one. */
  readonly comparedWith: Period
  readonly before: UsageAnswer
  /** The days that had requests. */
  readonly days: UsageAnswer
  /** All days of the period, `2026-11-28`. */
  readonly allDays: readonly string[]
  /** The models and the keys with the highest cost. */
  readonly models: UsageAnswer
  readonly keys: UsageAnswer
  /** The values with the highest cost of the metadata that most installations send. Only names that requests have. */
  readonly metadata: readonly { readonly name: string; readonly answer: UsageAnswer }[]
  readonly unpricedModels: readonly string[]
  /** Notes that a reader of the numbers needs, one sentence each. */
  readonly notes: readonly string[]
}

interface Summary extends Overview {
  readonly rollups: RollupState
}

/** The dimensions of the parts of an overview. */
export const OVERVIEW_BY = {
  day: [DIMENSIONS["day"]!],
  model: [DIMENSIONS["model"]!],
  key: [DIMENSIONS["key"]!],
} as const
const TOP = 5

const NAMES = ["Feature", "User-Id"]
/** Without rollups of a name, its values are added up from the rows, which must not be many. */
const MAX_ROWS = 20_000

/** Summarizes the period of a question. The question's limit is the number of models and keys (default 5). */
export function summarizeUsage(
  { database, now }: Context<"database" | "now">,
  question: UsageQuestion,
): Promise<Summary> {
  return withAsker(database, (asker) => summarize(asker, question, now()))
}

async function summarize({ ask, rollups }: Asker, question: UsageQuestion, now: number): Promise<Summary> {
  const { period, limit = TOP } = question
  const until = period.until ?? now
  const earlier = question.comparedWith ?? toPreviousPeriod({ ...period, until })
  const plain = { ...question, sort: undefined, limit: undefined }
  const models = await ask({ ...plain, by: OVERVIEW_BY.model })
  const current = { rows: [], total: models.total, groups: 0 }
  const names = NAMES.filter((name) => rollups.summed.has(name) || models.total.requests <= MAX_ROWS)
  const metadata: { name: string; answer: UsageAnswer }[] = []
  for (const name of names) {
    const answer = await ask({ ...plain, by: [metadataDimension(name)], limit })
    if (answer.rows.some(({ values }) => values[0] !== null)) metadata.push({ name, answer })
  }
  // Requests that a filter by metadata does not find are missing in the comparison too.
  const noted =
    question.filters.where === undefined
      ? question
      : { ...question, period: { ...period, since: Math.min(period.since, earlier.since) } }
  return {
    question,
    current,
    comparedWith: earlier,
    before: await ask({ ...plain, period: earlier }),
    days: await ask({ ...plain, by: OVERVIEW_BY.day }),
    allDays: listDays(period.since, until, period.tz),
    models: { ...models, rows: models.rows.slice(0, limit) },
    keys: await ask({ ...plain, by: OVERVIEW_BY.key, limit }),
    metadata,
    unpricedModels: models.rows.flatMap(({ unpriced, values }) => (unpriced > 0 ? [String(values[0])] : [])),
    notes: listNotes(noted, current, rollups),
    rollups,
  }
}
