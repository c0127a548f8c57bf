import { CommandError } from "../core/errors.ts"
import { explainDirectoryError, requireWritable } from "../embedded/data-directory.ts"
import type { Database } from "./_database.ts"
import { type PostgresOptions, toConnection } from "./connection.ts"
import { explainConnectFailure } from "./failures.ts"
import { createPostgresDatabase } from "./postgres.ts"
import { rejectNewerSchema } from "./schema-state.ts"

export { explainDirectoryError, requireWritable }

export interface StorageOptions {
  /** `auto` means `postgres` if any of its settings is set, else `embedded`. */
  readonly driver: "auto" | "postgres" | "embedded"
  /** The directory of the embedded database. */
  readonly dataDir: string
  readonly postgres: PostgresOptions
}

export interface OpenContext {
  /**
   * `serve` keeps an embedded database open for other processes. A `worker` is a client of the `serve` that started it. A
   * `command` is a client of a running `serve`, or opens the database itself for as long as it runs.
   */
  readonly role: "serve" | "worker" | "command"
  readonly log: (line: string) => void
  /** Returns the error of a command when there is no embedded database. Without it, the database is created. */
  readonly toMissingError?: (dataDir: string) => CommandError
}

/**
 * Opens the configured database and checks that one connection works. Throws a CommandError that says what to do, also
 * for a database whose schema is newer than this program and not compatible with it.
 */
export async function openDatabase(options: StorageOptions, context: OpenContext): Promise<Database> {
  const { role } = context
  const { dataDir } = options
  if (isPostgres(options)) {
    if (role === "serve") requireWritable(dataDir)
    return openPostgres(options.postgres)
  }
  const { joinEmbedded, openEmbedded } = await import("./embedded.ts")
  return checkSchema(
    role === "worker" ? await joinEmbedded(dataDir) : await openEmbedded({ ...context, dataDir, role }),
  )
}

/** Whether `openDatabase` opens a PostgreSQL server, not the embedded database. */
export function isPostgres({ driver, postgres }: StorageOptions): boolean {
  return driver === "postgres" || (driver === "auto" && postgres.isSet)
}

/** Returns whether there is a database to open. An embedded one exists only after the first start. */
export async function hasDatabase(options: StorageOptions): Promise<boolean> {
  if (isPostgres(options)) return true
  const { hasCluster } = await import("../embedded/cluster.ts")
  return hasCluster(options.dataDir)
}

/** Returns which database the settings name, for people. It contains no password. */
export function describeStorage(options: StorageOptions): string {
  if (!isPostgres(options)) return `the embedded database in ${options.dataDir}`
  const { host, port, database } = toConnection(options.postgres).where
  return `the database ${JSON.stringify(database)} of the PostgreSQL at ${host.startsWith("/") ? host : `${host}:${port}`}`
}

/** Opens a PostgreSQL server, for example the target of `migrate --to URL`. Throws like `openDatabase`. */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  return checkSchema(await connectToPostgres(options))
}

/** Opens the database of another product, whose schema is its own. @throws CommandError if it cannot be reached */
export function openForeignPostgres(url: string): Promise<Database> {
  const none = { host: undefined, port: undefined, user: undefined, password: undefined, database: undefined }
  return connectToPostgres({ ...none, url, sslmode: undefined, maxConns: 1, schema: undefined, isSet: true })
}

async function connectToPostgres(options: PostgresOptions): Promise<Database> {
  const { config, hosts, tlsFallback, requireChannelBinding, where } = toConnection(options)
  const { schema } = options
  const database = createPostgresDatabase(config, {
    kind: "postgres",
    title: "PostgreSQL",
    hosts,
    tlsFallback,
    requireChannelBinding,
    schema,
  })
  try {
    const { rows } = await database.query<{ encoding: string; is_standby: boolean }>({
      text: "SELECT current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS is_standby",
      timeoutMs: 10_000,
    })
    const { encoding, is_standby: isStandby } = rows[0]!
    rejectEncoding(encoding, where.database)
    if (schema !== undefined && !isStandby) await rejectMixedSessions(database, schema)
  } catch (error) {
    await database.close()
    throw error instanceof CommandError ? error : explainConnectFailure(error, where)
  }
  return database
}

/**
 * Opens the configured database for a command that runs for long. It never opens the embedded database itself, because
 * then no gateway could start; it connects to the one of a running gateway. Throws like `openDatabase`.
 */
export async function joinDatabase(options: StorageOptions): Promise<Database> {
  if (isPostgres(options)) return openPostgres(options.postgres)
  const { joinGateway } = await import("./embedded.ts")
  return checkSchema(await joinGateway(options.dataDir))
}

async function checkSchema(database: Database): Promise<Database> {
  try {
    await rejectNewerSchema(database)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Rows contain any text, so a database with another encoding would reject some of them or return other text. */
function rejectEncoding(encoding: string, database: string): void {
  if (encoding === "UTF8") return
  throw new CommandError(
    `the database "${database}" has the encoding ${encoding}, which cannot store every text: create one with UTF8 (createdb --encoding=UTF8 --template=template0 NAME), and set storage.postgres.database to it`,
  )
}

/**
 * A pooler in transaction mode runs statements in sessions with another search path, so that they would not find the
 * schema, or find tables elsewhere. Such a pooler accepts LISTEN but delivers nothing.
 */
async function rejectMixedSessions(database: Database, schema: string): Promise<void> {
  let isUp = false
  const onState = (up: boolean) => {
    isUp ||= up
  }
  const listener = await database.listen("majordomo_session", { onNotify: () => {}, onState })
  await listener.close()
  if (isUp) return
  throw new CommandError(
    `storage.postgres.schema needs a connection that keeps its session, and this one does not (a pooler in transaction mode?): connect to the server itself, or leave the setting empty and set the schema for the role (ALTER ROLE NAME SET search_path = ${schema})`,
  )
}
