import { CommandError } from "../../core/errors.ts"
import type { Database } from "../_database.ts"
import { type PostgresOptions, toConnection } from "../connection.ts"
import { createPostgresDatabase } from "../postgres.ts"
import { ANSWER_MS, createComparison } from "./comparison.ts"
import type { Position } from "./position.ts"
import { createReader } from "./reader.ts"
import { createReport, type Problem } from "./report.ts"

/** The state of the replica, as it was seen last. */
export interface ReplicaState {
  readonly isUsed: boolean
  /** How far it is behind the primary, in ms; undefined if that is not known. */
  readonly lagMs: number | undefined
  /** Why reports do not read it: the rest of a sentence about it. Undefined if they do, or if it was not looked at yet. */
  readonly problem: string | undefined
}

/** A streaming standby of the database, from which reports and lists are read. */
export interface Replica {
  /**
   * Returns a database for one caller that only reads. It is the replica, unless that is away, is no standby of this
   * database, has another schema, is too far behind, or lacks a change that the primary has. Then it is `primary`.
   */
  choose(primary: Database): Promise<Database>
  /** Compares both servers now. Never rejects. */
  check(): Promise<ReplicaState>
  state(): ReplicaState
  /** Somebody has changed something, and the next `choose` returns a database that has it. */
  noteChange(): void
  close(): Promise<void>
}

interface ReplicaOptions {
  /** The settings of the replica. */
  readonly connection: PostgresOptions
  /** The database itself. It is asked where it is. */
  readonly primary: Database
  readonly maxLagMs: number
  readonly log: (level: "info" | "warn", line: string) => void
  /** How often the replica is looked at when nobody reads, in ms; undefined: never. */
  readonly intervalMs?: number
}

/** Reports of one process. They wait for each other rather than take all processors of the replica. */
const MAX_CONNECTIONS = 5

/** Opens the replica without waiting for it. @throws CommandError if its connection string is not valid */
export function openReplica({ connection, primary, maxLagMs, log, intervalMs }: ReplicaOptions): Replica {
  const replica = connect(connection, MAX_CONNECTIONS)
  // Reports may take all connections of the other one, and that does not mean that the replica is away.
  const probed = connect(connection, 2)
  const compare = createComparison({ primary, replica: probed }, maxLagMs)
  const changes = createChanges()
  const report = createReport(log)
  let isKnown = false
  let problem: Problem | undefined
  let lagMs: number | undefined
  let gone = new AbortController()
  let isClosed = false

  async function look() {
    const compared = await compare()
    if (compared === undefined || isClosed) return undefined
    isKnown = true
    ;({ problem, lagMs } = compared)
    report.state(problem)
    if (problem?.code === "away") gone.abort()
    else if (gone.signal.aborted) gone = new AbortController()
    return problem === undefined ? compared.positions : undefined
  }

  async function choose(fallback: Database): Promise<Database> {
    // The timer looks at a replica that cannot be used, so that no reader waits for it.
    if (problem !== undefined && intervalMs !== undefined) return fallback
    const positions = await look()
    if (positions === undefined || !changes.has(positions.primary, positions.replica)) return fallback
    return createReader({ replica, primary: fallback, gone: gone.signal, onRepeated: report.failed })
  }

  const state = (): ReplicaState => ({ isUsed: isKnown && problem === undefined, lagMs, problem: problem?.message })
  const check = () => look().then(state, state)
  const timer = intervalMs === undefined ? undefined : setInterval(() => void check(), intervalMs).unref()
  if (timer !== undefined) void check()
  return {
    choose,
    check,
    state,
    noteChange: changes.note,
    async close() {
      isClosed = true
      clearInterval(timer)
      await Promise.all([replica.close(), probed.close()])
    },
  }
}

/**
 * Decides whether the replica has all changes that people made, so that whoever changes something sees it in the next list.
 * The audit log has each change since it began, of all gateways and commands. A change that takes several transactions, such
 * as a repricing, is complete in the next list of the gateway that made it.
 */
function createChanges() {
  /** The position that a change of this process has reached; `next`: the one of the primary when it is asked next. */
  let reached: bigint | "next" | undefined
  return {
    note(): void {
      reached = "next"
    },
    has(primary: Position, replica: Position): boolean {
      if (reached === "next") reached = primary.wal
      if (reached !== undefined && replica.wal < reached) return false
      reached = undefined
      return primary.changes === replica.changes
    },
  }
}

function connect(connection: PostgresOptions, most: number): Database {
  const { config, ...options } = toReplicaConnection(connection)
  const max = Math.min(most, config.max ?? most)
  const limited = { ...config, max, connectionTimeoutMillis: ANSWER_MS }
  return createPostgresDatabase(limited, {
    ...options,
    kind: "postgres",
    title: "PostgreSQL",
    schema: connection.schema,
  })
}

/** Its messages name the setting of the primary, which takes the same connection strings. */
function toReplicaConnection(connection: PostgresOptions) {
  try {
    return toConnection(connection)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    throw new CommandError(error.message.replace(/^storage\.postgres\.\w+/, "storage.postgres.read_url"))
  }
}
