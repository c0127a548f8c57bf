import { setTimeout as delay } from "node:timers/promises"
import { CommandError } from "../core/errors.ts"
import { backUp } from "../embedded/backup/backup.ts"
import type { BackupNote, OnProgress } from "../embedded/backup/note.ts"
import { restore } from "../embedded/backup/restore.ts"
import type { Database, RunQuery } from "./_database.ts"
import { openEmbedded } from "./embedded.ts"
import { migrate } from "./schema.ts"
import { readSchemaState, rejectNewerSchema } from "./schema-state.ts"

interface BackupInput {
  readonly dataDir: string
  readonly file: string
  /** The version of this program. */
  readonly program: string
  now(): number
  readonly onProgress: OnProgress
  readonly signal: AbortSignal
}

/** A transaction that is idle for 5 s ends when another client waits. */
const KEEP_ALIVE_MS = 1_000
const CHECKPOINT_LIMIT_MS = 5 * 60_000

/**
 * Writes the embedded database, the journals and what else belongs to it into one file, also while a gateway uses it.
 *
 * @throws CommandError if the database is empty, the file exists, or there is too little space
 */
export async function backUpEmbedded(database: Database, input: BackupInput): Promise<BackupNote> {
  const state = await readSchemaState(database.query)
  if (!("version" in state)) throw new CommandError("the embedded database is empty: nothing to back up")
  await database.query({ text: "CHECKPOINT", timeoutMs: CHECKPOINT_LIMIT_MS })
  const whileQuiet = (copy: () => Promise<void>) => holdStill(database, copy)
  return backUp({ ...input, schemaVersion: state.version, whileQuiet })
}

/**
 * Runs `copy` in a transaction that writes nothing. The embedded database has one backend, which serves only this client
 * until the transaction ends, so its files do not change. The position in the WAL proves it.
 */
function holdStill(database: Database, copy: () => Promise<void>): Promise<void> {
  return database.transaction(async (query) => {
    const before = await readPosition(query)
    const done = new AbortController()
    const copying = copy().finally(() => done.abort())
    // It is awaited below; until then, a failure of the connection must not leave it without a handler.
    copying.catch(() => {})
    while (!done.signal.aborted) {
      await delay(KEEP_ALIVE_MS, undefined, { signal: done.signal }).catch(() => {})
      await query("SELECT 1")
    }
    await copying
    if ((await readPosition(query)) !== before) {
      throw new CommandError("the database changed while its files were copied: run the backup again")
    }
  })
}

async function readPosition(query: RunQuery): Promise<string> {
  const { rows } = await query<{ position: string }>("SELECT pg_current_wal_insert_lsn()::text AS position")
  return rows[0]!.position
}

interface RestoreInput {
  readonly dataDir: string
  readonly file: string
  readonly force: boolean
  now(): number
  log(line: string): void
  readonly onProgress: OnProgress
}

interface RestoredDatabase {
  readonly note: BackupNote
  /** The version of the schema now. */
  readonly schemaVersion: number
  readonly keys: number
  readonly requests: number
  readonly replaced: string | undefined
}

/**
 * Replaces the embedded database of a data directory by that of a backup, with its schema brought up to date.
 *
 * @throws CommandError if the backup is damaged or too new, the directory is in use, or has data and `force` is not set
 */
export async function restoreEmbedded(input: RestoreInput): Promise<RestoredDatabase> {
  const check = (dataDir: string, note: BackupNote) => bringUpToDate(dataDir, note, input.log)
  const { note, checked, replaced } = await restore({ ...input, check })
  return { note, ...checked, replaced }
}

/** Opens an unpacked backup, migrates it and counts what it has. */
async function bringUpToDate(dataDir: string, { program, postgres }: BackupNote, log: (line: string) => void) {
  const database = await openEmbedded({ dataDir, role: "serve", log }).catch((error: Error) => {
    throw new CommandError(
      `the database of the backup cannot be opened (${error.message}): it was made by majordomo-gateway ${program} with PostgreSQL ${postgres}; restore it with that version, then copy it with migrate --to`,
    )
  })
  try {
    await rejectNewerSchema(database)
    await migrate(database, log)
    const state = await readSchemaState(database.query)
    const { rows } = await database.query<{ keys: string; requests: string }>({
      text: "SELECT (SELECT count(*) FROM api_keys) AS keys, (SELECT count(*) FROM llm_requests) AS requests",
      timeoutMs: CHECKPOINT_LIMIT_MS,
    })
    const { keys, requests } = rows[0]!
    return { schemaVersion: "version" in state ? state.version : 0, keys: Number(keys), requests: Number(requests) }
  } finally {
    await database.close()
  }
}
