import { type ImportRow, listImportRows } from "../../database/imports.ts"
import type { Context } from "../context.ts"

/** The public form of an import. Money is USD as a plain decimal. */
export interface ImportObject {
  readonly id: string
  readonly source: string
  readonly actor: string
  readonly status: "finished" | "unfinished" | "undone"
  readonly started_at: string
  readonly requests: number
  readonly unpriced: number
  readonly total_cost: string
  /** When the first and the last of its requests ended. */
  readonly first_at: string | null
  readonly last_at: string | null
}

/** Returns all imports, the newest first. */
export async function listImports({ database }: Context<"database">): Promise<readonly ImportObject[]> {
  return (await listImportRows(database)).map(toImportObject)
}

function toImportObject(row: ImportRow): ImportObject {
  const { id, source, actor, requests, unpriced, total_cost } = row
  return {
    id,
    source,
    actor,
    status: row.undone_at !== null ? "undone" : row.finished_at !== null ? "finished" : "unfinished",
    started_at: row.started_at.toISOString(),
    requests: Number(requests),
    unpriced: Number(unpriced),
    total_cost,
    first_at: row.first_at?.toISOString() ?? null,
    last_at: row.last_at?.toISOString() ?? null,
  }
}
