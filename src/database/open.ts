import type { Database } from "./_database.ts"
import { type PostgresOptions, toConnection } from "./connection.ts"
import { explainConnectFailure } from "./failures.ts"
import { createPostgresDatabase } from "./postgres.ts"

export interface StorageOptions {
  /** `auto`: postgres if any of its settings is set, else embedded. */
  readonly driver: "auto" | "postgres" | "embedded"
  /** The directory of the embedded database. */
  readonly dataDir: string
  readonly postgres: PostgresOptions
}

export interface OpenContext {
  /**
   * `serve` keeps an embedded database open for others; a `worker` is a client of the `serve` that started it; a
   * `command` joins the one that runs, or opens it for a moment.
   */
  readonly role: "serve" | "worker" | "command"
  readonly log: (line: string) => void
}

/** Opens the configured database and has one connection answer. Throws CommandError that says what to do. */
export async function openDatabase(options: StorageOptions, context: OpenContext): Promise<Database> {
  if (isPostgres(options)) return openPostgres(options.postgres)
  const { joinEmbedded, openEmbedded } = await import("./embedded.ts")
  const { role, log } = context
  return role === "worker" ? joinEmbedded(options.dataDir) : openEmbedded({ dataDir: options.dataDir, role, log })
}

/** Which of the two `openDatabase` opens. */
export function isPostgres({ driver, postgres }: StorageOptions): boolean {
  return driver === "postgres" || (driver === "auto" && postgres.isSet)
}

/** The same for a real PostgreSQL alone: the far end of `migrate --to URL`. */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { config, preferTls, where } = toConnection(options)
  const database = createPostgresDatabase(config, { kind: "postgres", title: "PostgreSQL", preferTls })
  try {
    await database.query({ text: "SELECT 1", timeoutMs: 10_000 })
    return database
  } catch (error) {
    await database.close()
    throw explainConnectFailure(error, where)
  }
}

/**
 * For a command that stays for long: the configured database if it runs without us, real or of a running gateway. It
 * never opens the embedded one itself, for then no gateway could start.
 */
export async function joinDatabase(options: StorageOptions): Promise<Database> {
  if (isPostgres(options)) return openPostgres(options.postgres)
  const { joinGateway } = await import("./embedded.ts")
  return joinGateway(options.dataDir)
}
