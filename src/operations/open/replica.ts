import type { Settings } from "../../config/settings.ts"
import type { Database } from "../../database/_database.ts"
import { isPostgres } from "../../database/open.ts"
import { openReplica, type Replica } from "../../database/replica/replica.ts"
import type { Context } from "../context.ts"

export type { Replica }

interface ReplicaOptions {
  readonly settings: Pick<Settings, "storage">
  /** The database of which it is a replica. */
  readonly database: Database
  readonly log: (level: "info" | "warn", line: string) => void
  /** How often it is looked at when nobody reads, in ms; undefined: never. */
  readonly intervalMs?: number
}

/**
 * Opens the replica of the settings until the caller closes it; undefined if there is none.
 *
 * @throws CommandError if `storage.postgres.read_url` is not valid
 */
export function openConfiguredReplica({ settings, database, ...options }: ReplicaOptions): Replica | undefined {
  const { storage } = settings
  const { readUrl: url, readMaxLagMs: maxLagMs } = storage.postgres
  if (url === undefined || !isPostgres(storage)) return undefined
  return openReplica({ ...options, connection: { ...storage.postgres, url }, primary: database, maxLagMs })
}

/** Opens the replica for one command, and closes it again. `reader` is the database from which the command reads. */
export async function withReplica<T>(
  { settings, database, log }: Context<"settings" | "database" | "log">,
  work: (opened: { readonly replica: Replica | undefined; readonly reader: Database }) => Promise<T>,
): Promise<T> {
  const replica = openConfiguredReplica({ settings, database, log: (_, line) => log(`note: ${line}`) })
  if (replica === undefined) return work({ replica, reader: database })
  try {
    return await work({ replica, reader: await replica.choose(database) })
  } finally {
    await replica.close()
  }
}
