import { CommandError } from "../core/errors.ts"
import { isPostgres } from "../database/open.ts"
import type { Context } from "./context.ts"

interface BackupResult {
  readonly file: string
  /** ISO 8601. */
  readonly created_at: string
  readonly schema_version: number
  /** The size of what was backed up, before compression. */
  readonly bytes: number
}

interface RestoreResult {
  readonly data_dir: string
  /** When the backup was made, ISO 8601. */
  readonly created_at: string
  /** The version of the schema in the backup, and now. */
  readonly schema_version_before: number
  readonly schema_version: number
  readonly keys: number
  readonly requests: number
  /** The directory to which the earlier data were moved; null if there were none. */
  readonly replaced: string | null
}

/**
 * Throws a CommandError unless the settings name the embedded database: a PostgreSQL has tools of its own.
 *
 * @param tools the command of PostgreSQL that does the same
 */
export function requireEmbedded({ settings }: Context<"settings">, tools: string): void {
  if (!isPostgres(settings.storage)) return
  throw new CommandError(`a PostgreSQL is configured, and this command is for the embedded database: use ${tools}`)
}

/** Writes the embedded database into one file, also while a gateway uses it. Progress is in bytes. */
export async function backUpDatabase(
  { database, settings, now, onProgress }: Context<"database" | "settings" | "now" | "onProgress">,
  input: { readonly file: string; readonly program: string; readonly signal: AbortSignal },
): Promise<BackupResult> {
  const { backUpEmbedded } = await import("../database/backup.ts")
  const { dataDir } = settings.storage
  const { created_at, schema_version, bytes } = await backUpEmbedded(database, { ...input, dataDir, now, onProgress })
  return { file: input.file, created_at, schema_version, bytes }
}

/** Replaces the embedded database by that of a backup. Progress is in bytes; the backup is read twice. */
export async function restoreDatabase(
  { settings, now, log, onProgress }: Context<"settings" | "now" | "log" | "onProgress">,
  input: { readonly file: string; readonly force: boolean },
): Promise<RestoreResult> {
  const { restoreEmbedded } = await import("../database/backup.ts")
  const { dataDir } = settings.storage
  const { note, schemaVersion, replaced, ...counts } = await restoreEmbedded({
    ...input,
    dataDir,
    now,
    log,
    onProgress,
  })
  return {
    data_dir: dataDir,
    created_at: note.created_at,
    schema_version_before: note.schema_version,
    schema_version: schemaVersion,
    ...counts,
    replaced: replaced ?? null,
  }
}
