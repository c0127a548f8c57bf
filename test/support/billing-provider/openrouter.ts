import { formatDecimal } from "../../../src/core/decimal.ts"
import { type Books, bucketsOf, costOf, dayStart, visibleWork, type Work } from "./_books.ts"
import { type AdminRequest, groupBy, rawNumber } from "./_respond.ts"

const DAY_MS = 86_400_000

/** Returns the answer of `/api/v1/activity` and `/api/v1/credits`, or undefined for other paths. */
export function answerOpenRouter(books: Books, { path, query }: AdminRequest): unknown {
  const works = visibleWork(books, "openrouter")
  if (path === "/api/v1/credits") {
    return { data: { total_credits: 1000, total_usage: rawNumber(sumOf(books, works)) } }
  }
  if (path !== "/api/v1/activity") return undefined
  const today = dayStart(books.now())
  const key = query.get("api_key_hash")
  const reported = works.filter(({ at, key: of }) => {
    const isReported = at >= today - 30 * DAY_MS && at < today && (key === null || key === of)
    return isReported && (query.get("date") ?? dayOf(at)) === dayOf(at)
  })
  const data = groupBy(reported, ({ at, model }) => [dayOf(at), model]).map((group) => {
    const sum = (toNumber: (work: Work) => number) => group.reduce((all, work) => all + toNumber(work), 0)
    return {
      date: dayOf(group[0]!.at),
      model: group[0]!.model,
      model_permaslug: `${group[0]!.model}-2024-07-18`,
      endpoint_id: "550e8400-e29b-41d4-a716-446655440000",
      provider_name: "OpenAI",
      usage: rawNumber(sumOf(books, group)),
      byok_usage_inference: 0,
      requests: sum(({ requests }) => requests),
      prompt_tokens: sum(({ quantities }) => (quantities.input ?? 0) + (quantities.cache_read ?? 0)),
      completion_tokens: sum(({ quantities }) => quantities.output ?? 0),
      reasoning_tokens: 0,
    }
  })
  return { data }
}

function sumOf(books: Books, works: readonly Work[]): string {
  const all = works.flatMap((work) => bucketsOf(work).map((bucket) => costOf(books, work, bucket)))
  return formatDecimal(all.reduce((a, b) => a + b, 0n))
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
