import { type JsonRecord, recordsOf, textOf, unexpected } from "./_json.ts"
import type { Query, Reading } from "./_source.ts"

/** More pages than any account has: with 1,000 lines on each they are half a million lines of one month. */
const MAX_PAGES = 500

/** One report of a provider. */
interface Report {
  /** The report's name in errors and in progress, such as `OpenAI's cost report`. */
  readonly where: string
  readonly path: string
  readonly query: Query
}

/**
 * Reads the entries of all pages of a report.
 * @throws SourceError if the pages do not end, or if a page's token repeats
 */
export async function* readPages({ get, report }: Reading, { where, path, query }: Report): AsyncGenerator<JsonRecord> {
  const seen = new Set<string>()
  let page: string | undefined
  do {
    report(seen.size === 0 ? where : `${where}, page ${seen.size + 1}`)
    const { body } = await get(path, { ...query, page })
    yield* recordsOf(body["data"], where)
    page = nextPage(body, where)
    if (page === undefined) return
    if (seen.has(page)) throw unexpected(where, "the token of its next page repeats, so it would never end")
    seen.add(page)
  } while (seen.size < MAX_PAGES)
  throw unexpected(where, `it has more than ${MAX_PAGES} pages`)
}

function nextPage(body: JsonRecord, where: string): string | undefined {
  const next = textOf(body["next_page"])
  if (body["has_more"] === true && next === undefined)
    throw unexpected(where, "it has more pages, but no token for them")
  return body["has_more"] === false ? undefined : next
}
