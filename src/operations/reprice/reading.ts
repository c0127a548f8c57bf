import type { Reading } from "../../core/usage.ts"
import type { RepriceableRow } from "../../database/repricings.ts"
import type { Dialect } from "../../providers/_dialect.ts"
import { findStoredDialect, readStoredAnswer, staysFree } from "../../providers/stored.ts"

/** Returns the format of a configured provider; undefined if the provider is no longer configured. */
export type FindFormat = (provider: string) => string | undefined

/** Reads the usage that a row has stored, in the row's dialect; undefined if the row has no usage. */
export function readStoredUsage(row: RepriceableRow, findFormat: FindFormat): Reading | undefined {
  const { request_method: method, request_path: path, usage } = row
  return readStoredAnswer(findDialect(row, findFormat), { method, path, model: row.model || undefined, usage })
}

/** Returns true for a row that was free by the provider's own rule, if it is free by the rules of today. */
export function isStillFree(row: RepriceableRow, reading: Reading | undefined, findFormat: FindFormat): boolean {
  const { request_method: method, request_path: path } = row
  return staysFree(findDialect(row, findFormat), { method, path }, reading)
}

/** Rows of earlier versions have no dialect. Theirs follows from the provider, else from the path. */
function findDialect(row: RepriceableRow, findFormat: FindFormat): Dialect {
  return findStoredDialect({ dialect: row.dialect, format: findFormat(row.provider), path: row.request_path })
}
