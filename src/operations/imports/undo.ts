import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { type ImportRow, listImportRows, removeImportedRows } from "../../database/imports.ts"
import type { Context } from "../context.ts"

interface UndoneImport {
  readonly id: string
  readonly source: string
  /** The requests that were removed. */
  readonly requests: number
  /** The requests of the import that had no row any more, because they were pruned: they stay in the totals. */
  readonly left: number
}

/**
 * Removes the requests of an import, from all totals too.
 *
 * @throws CommandError if there is no such import
 */
export async function undoImport(
  { database, actor, onProgress }: Context<"database" | "actor" | "onProgress">,
  { id }: { readonly id: string },
): Promise<UndoneImport> {
  const found = findImport(await listImportRows(database), id)
  const total = Number(found.requests)
  const requests = await removeImportedRows(database, found, {
    onStart: (query) =>
      recordChange(query, actor, { action: "import.undo", target: found.id, after: { source: found.source } }),
    onProgress: (done) => onProgress(done, Math.max(done, total)),
  })
  const isRepeated = found.undone_at !== null
  return { id: found.id, source: found.source, requests, left: isRepeated ? 0 : Math.max(0, total - requests) }
}

/** Finds an import by its id, or by the beginning of it that no other import has. */
function findImport(imports: readonly ImportRow[], id: string): ImportRow {
  const found = imports.filter((each) => each.id.startsWith(id.toLowerCase()))
  if (found.length === 1 && id !== "") return found[0]!
  const problem =
    found.length > 1 && id !== "" ? "several imports have an id that begins so" : "there is no import with this id"
  throw new CommandError(`${problem}: \`majordomo-gateway import list\` shows all`)
}
