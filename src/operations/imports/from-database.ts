import { hasForeignRows, readForeignRows } from "../../database/foreign-rows.ts"
import { IMPORT_SOURCE_NAMES, type ImportSourceName } from "../../imports/sources/index.ts"
import { InputError } from "../input-error.ts"

export { IMPORT_SOURCE_NAMES, type ImportSourceName }

/**
 * Reads the requests in the database of another product, as the lines of JSON that an import of a file takes.
 *
 * @throws InputError if `url` is no address of a PostgreSQL; CommandError if it cannot be reached, or has no such table
 */
export function readFromDatabase(source: ImportSourceName, url: string): AsyncIterable<Uint8Array> {
  if (hasForeignRows(source) && /^postgres(ql)?:\/\//.test(url)) return readForeignRows(source, url)
  throw new InputError("from", "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
}
