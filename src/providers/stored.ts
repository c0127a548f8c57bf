import { type Reading, toTokenTotals } from "../core/usage.ts"
import type { Dialect } from "./_dialect.ts"
import { isFreeOperation } from "./_routes.ts"
import { createClaimFinder, findSurface } from "./_routing.ts"
import { objectOf } from "./_values.ts"
import { DIALECTS, FALLBACK_FORMAT, findFormat } from "./catalog.ts"

/** The columns of a row that describe its answer. */
interface StoredAnswer {
  readonly method: string
  readonly path: string
  /** The model that answered, or else the one that was asked for. */
  readonly model: string | undefined
  /** `raw` of the reading, after its way through JSON. */
  readonly usage: unknown
}

/** The columns of a row from which the dialect of its answer follows. */
interface StoredRoute {
  /** The dialect by which the answer was metered. null: an earlier version wrote the row. */
  readonly dialect: string | null
  /** The format of the provider. undefined: it is no longer known, so that the path decides. */
  readonly format: string | undefined
  /** The path that the client called. */
  readonly path: string
}

/** Returns the dialect in which a stored answer was given. */
export function findStoredDialect({ dialect: stored, format, path }: StoredRoute): Dialect {
  const known = findFormat(stored ?? undefined)
  if (known !== undefined) return DIALECTS[known]
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

/**
 * Returns true for a row that was free by the provider's own rule, and is so by the rules of today. Earlier versions let
 * more paths be free. An answer of Anthropic's without output can be a refusal, which only the answer itself says.
 */
export function staysFree(
  dialect: Dialect,
  { method, path }: Pick<StoredAnswer, "method" | "path">,
  reading: Reading | undefined,
): boolean {
  const { inputTokens, outputTokens } = toTokenTotals(reading?.parts ?? [])
  if (isFreeOperation(dialect.routes.operations.find(method, path), inputTokens + outputTokens > 0)) return true
  return outputTokens === 0 && (dialect === DIALECTS.anthropic || inputTokens === 0)
}

const { find: findClaim } = createClaimFinder(DIALECTS)
