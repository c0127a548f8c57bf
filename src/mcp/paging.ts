import { ApiError } from "../api/problem.ts"
import type { Json } from "./_json.ts"

/** How the long list of an answer is divided into pages. */
export interface Paging {
  /** What is counted, such as `rows`. */
  readonly noun: string
  /** How many of them an answer has, unless `limit` says so, and at most. */
  readonly initial: number
  readonly max: number
  /** The field that contains the list, if the route returns nothing but the list. */
  readonly wrap?: string
  readonly read: PageReader
}

interface Page {
  readonly cursor: string | undefined
  readonly limit: number
}

/** Asks the route, with additional inputs, and returns one page of its answer with the cursor of the next one in `next`. */
type PageReader = (ask: (more: Json) => Promise<unknown>, page: Page) => Promise<Json & { next: string | null }>

/** Models pay for every character of an answer, and programs such as Claude Code truncate longer ones. */
const MAX_ANSWER_LENGTH = 40_000

/** Reads one page. A page that is too long for a model becomes shorter, down to one element. */
export async function readPage(
  { read, initial, max }: Paging,
  ask: (more: Json) => Promise<unknown>,
  { cursor, limit }: { readonly cursor?: unknown; readonly limit?: unknown },
): Promise<Json> {
  for (let wanted = parseLimit(limit ?? initial, max); ; wanted = Math.floor(wanted / 2)) {
    const page = await read(ask, { cursor: parseCursor(cursor), limit: wanted })
    if (wanted === 1 || JSON.stringify(page).length <= MAX_ANSWER_LENGTH) return page
  }
}

/** Divides a route that has pages of its own. */
export const OWN_PAGES: PageReader = async (ask, { cursor, limit }) =>
  (await ask({ limit, ...(cursor !== undefined && { cursor }) })) as Json & { next: string | null }

/** Divides the lists in these fields. The route returns as many elements as its input `limit` says, the best ones first. */
export function limitedBy(...fields: readonly string[]): PageReader {
  return async (ask, { cursor, limit }) => {
    const start = toStart(cursor)
    // One more says whether there is a next page.
    return cut((await ask({ limit: start + limit + 1 })) as Json, fields, { start, limit })
  }
}

/** Divides a list that the route returns as a whole; the answer has it in this field. */
export function wholeList(field: string): PageReader {
  return async (ask, { cursor, limit }) => cut({ [field]: await ask({}) }, [field], { start: toStart(cursor), limit })
}

/** Divides a list that is the output of a route with an input `limit`; the answer has it in this field. */
export function limitedList(field: string): PageReader {
  return async (ask, { cursor, limit }) => {
    const start = toStart(cursor)
    return cut({ [field]: await ask({ limit: start + limit + 1 }) }, [field], { start, limit })
  }
}

/** Divides the lists or texts in these fields of a route that returns them as a whole. */
export function wholeIn(...fields: readonly string[]): PageReader {
  return async (ask, { cursor, limit }) => cut((await ask({})) as Json, fields, { start: toStart(cursor), limit })
}

type Parts = readonly Json[]

/** Divides the steps of a tree of spans. A page has the spans in which its steps are, with the sums of whole spans. */
export const STEPS_OF_TREE: PageReader = async (ask, { cursor, limit }) => {
  const start = toStart(cursor)
  const end = start + limit
  let seen = 0
  const cutSpan = (span: Json): Json | undefined => {
    const steps = (span["steps"] as Parts).filter(() => {
      const at = seen++
      return at >= start && at < end
    })
    const spans = (span["spans"] as Parts).flatMap((child) => cutSpan(child) ?? [])
    return steps.length === 0 && spans.length === 0 ? undefined : { ...span, steps, spans }
  }
  const root = (await ask({})) as Json
  const tree = cutSpan(root) ?? { ...root, steps: [], spans: [] }
  return { ...tree, next: seen > end ? String(end) : null }
}

function cut(answer: Json, fields: readonly string[], { start, limit }: { start: number; limit: number }) {
  const end = start + limit
  const page: Record<string, unknown> = { ...answer, next: null }
  for (const field of fields) {
    const list = answer[field]
    if (typeof list !== "string" && !Array.isArray(list)) continue
    page[field] = list.slice(start, end)
    if (list.length > end) page["next"] = String(end)
  }
  return page as Json & { next: string | null }
}

function parseLimit(limit: unknown, max: number): number {
  if (Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= max) return Number(limit)
  throw new ApiError("invalid_input", `limit: expected a whole number from 1 to ${max}`)
}

function parseCursor(cursor: unknown): string | undefined {
  if (cursor === undefined || typeof cursor === "string") return cursor
  throw toCursorError()
}

function toStart(cursor: string | undefined): number {
  if (cursor === undefined) return 0
  if (/^\d{1,9}$/.test(cursor)) return Number(cursor)
  throw toCursorError()
}

function toCursorError(): ApiError {
  return new ApiError("invalid_input", "cursor: expected `next` of the answer before")
}
