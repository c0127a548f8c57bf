import type { Reading } from "../../core/usage.ts"
import type { RepriceableRow } from "../../database/repricings.ts"
import type { Dialect } from "../../providers/_dialect.ts"
import { findStoredDialect, readStoredAnswer, staysFree } from "../../providers/stored.ts"

/** Returns the format of a configured provider; undefined if the provider is no longer configured. */
export type FindFormat = (provider: string) => string | undefined

/** Reads the usage that a row has stored, in the row's dialect; undefined if the row has no usage. */
export function readStoredUsage(row: RepriceableRow, findFormat: FindFormat): Reading | undefined {
  const { request_method: method, usage } = row
  const answer = { method, path: toProviderPath(row), model: row.model || undefined, usage }
  return readStoredAnswer(findDialect(row, findFormat), answer)
}

/** Returns true for a row that was free by the provider's own rule, if it is free by the rules of today. */
export function isStillFree(row: RepriceableRow, reading: Reading | undefined, findFormat: FindFormat): boolean {
  const { request_method: method } = row
  return staysFree(findDialect(row, findFormat), { method, path: toProviderPath(row) }, reading)
}

/** The client's path can begin with the name of the provider, which the provider did not get. */
function toProviderPath({ request_path: path, provider }: RepriceableRow): string {
  return path.startsWith(`/${provider}/`) ? path.slice(provider.length + 1) : path
}

/** Rows of earlier versions have no dialect. Theirs follows from the provider, else from the path. */
function findDialect(row: RepriceableRow, findFormat: FindFormat): Dialect {
  return findStoredDialect({ dialect: row.dialect, format: findFormat(row.provider), path: toProviderPath(row) })
}
