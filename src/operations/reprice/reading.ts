import type { Reading } from "../../core/usage.ts"
import type { RepriceableRow } from "../../database/repricings.ts"
import type { Dialect, Format } from "../../providers/_dialect.ts"
import { DIALECTS } from "../../providers/index.ts"

/** Returns the API that a configured provider speaks; undefined if the provider is no longer configured. */
export type FindFormat = (provider: string) => Format | undefined

/** Reads the usage that a row has stored, in the row's dialect; undefined if the row has no usage. */
export function readStoredUsage(row: RepriceableRow, findFormat: FindFormat): Reading | undefined {
  const { request_method: method, request_path: path, usage } = row
  return findDialect(row, findFormat).reread({ method, path, model: row.model || undefined, raw: usage ?? undefined })
}

/** Rows of earlier versions have no dialect. Theirs follows from the provider, else from the path. */
function findDialect(row: RepriceableRow & { readonly dialect?: string | null }, findFormat: FindFormat): Dialect {
  const { dialect } = row
  if (dialect && Object.hasOwn(DIALECTS, dialect)) return DIALECTS[dialect as Format]
  return DIALECTS[findFormat(row.provider) ?? guessFormat(row.request_path)]
}

function guessFormat(path: string): Format {
  if (/^\/v1\/messages(?:[/:?]|$)/.test(path)) return "anthropic"
  return /generateContent|streamGenerateContent|[eE]mbedContents?|countTokens/.test(path) ? "gemini" : "openai"
}
