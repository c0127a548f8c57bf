import type { Reading } from "../core/usage.ts"
import type { Dialect } from "./_dialect.ts"
import { createClaimFinder, findSurface } from "./_routing.ts"
import { objectOf } from "./_values.ts"
import { DIALECTS, FALLBACK_FORMAT, findFormat } from "./catalog.ts"

/** What a row keeps of an answer. */
interface StoredAnswer {
  readonly method: string
  readonly path: string
  /** The model that answered, or else the one that was asked for. */
  readonly model: string | undefined
  /** `raw` of the reading, after its way through JSON. */
  readonly usage: unknown
}

/**
 * Returns the dialect in which a stored answer was given.
 * @param format the format of its provider; undefined when that is no longer known, then the path decides
 * @param path the path that the client called
 */
export function findStoredDialect(format: string | undefined, path: string): Dialect {
  const request = { path, query: "", headers: {} }
  const dialect = DIALECTS[findFormat(format) ?? findClaim(request) ?? FALLBACK_FORMAT]
  const spoken = findFormat(findSurface(dialect, request, true)?.format)
  return spoken === undefined ? dialect : DIALECTS[spoken]
}

/** Returns the reading of a stored answer, so that it can be priced again. undefined: the row holds no usage. */
export function readStoredAnswer(dialect: Dialect, { usage, ...stored }: StoredAnswer): Reading | undefined {
  // Whether the answer was free or estimated stands in other columns.
  const reading = dialect.toReading({ ...stored, usage: objectOf(usage), source: "reported", isFree: false })
  return reading.source !== "none" || Object.keys(reading.units).length > 0 ? reading : undefined
}

const findClaim = createClaimFinder(DIALECTS)
