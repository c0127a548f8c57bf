import { CommandError } from "../core/errors.ts"
import { redactSecretValues } from "../core/secrets.ts"

/** Returns the SQLSTATE of a server's error, or the code that Node gives to an error of a socket. */
export function toErrorCode(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined
  return typeof code === "string" ? code : undefined
}

/** Reads rows of a table, or columns, that a database lacks whose schema has not been migrated yet: then there are none. */
export async function readIfMigrated<T>(read: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await read()
  } catch (error) {
    if (["42P01", "42703"].includes(toErrorCode(error) ?? "")) return []
    throw error
  }
}

/** A statement or a connection did not get an answer within its timeout. */
export class DatabaseTimeout extends Error {
  override readonly name = "DatabaseTimeout"
  readonly code = "DATABASE_TIMEOUT"

  constructor(timeoutMs: number) {
    super(`the database did not answer within ${timeoutMs} ms`)
  }
}

/**
 * Whether the same statement may succeed later: there is no connection or no answer, or the server is starting, stopping,
 * full, read-only (a standby after a failover) or out of connections. False if the statement or its data are at fault.
 */
export function isUnavailable(error: unknown): boolean {
  const code = toErrorCode(error)
  if (code === undefined) return error instanceof Error && CONNECTION_ENDED.test(error.message)
  if (/^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)) return UNAVAILABLE_STATES.test(code)
  return code === "DATABASE_TIMEOUT" || /^(E[A-Z]+|ERR_(SSL|TLS|SOCKET)[A-Z_]*)$/.test(code) || TLS_CODES.has(code)
}

/** The messages, without a code, with which pg reports a connection that ended or could not be opened. */
const CONNECTION_ENDED =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end/i

/**
 * https://www.postgresql.org/docs/current/errcodes-appendix.html: 08 connection, 25006 read only, 28 authorization
 * (a password that is being changed), 3D000 and 53 resources, 55P03 lock, 57P0x shutdown, 57014 canceled, 58 system, XX internal;
 * 40 a deadlock or a serialization failure, after which the statement can be repeated.
 */
const UNAVAILABLE_STATES = /^(08...|25006|28...|3D000|40...|53...|55P03|57P0.|57014|58...|XX000)$/

const TLS_CODES = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID",
])

export interface Where {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly sslmode: string
}

/** Nothing answers at the address of the database, or it is starting or full: the same attempt may succeed later. */
export class DatabaseNotReady extends CommandError {}

/** Returns an error whose message says in one line what is wrong and what to do. It never receives a password. */
export function explainConnectFailure(error: unknown, where: Where): CommandError {
  return new (isNotReady(error) ? DatabaseNotReady : CommandError)(explain(error, where))
}

/** Whether waiting may help, as opposed to a wrong password, name or certificate. */
function isNotReady(error: unknown): boolean {
  const code = toErrorCode(error)
  if (code !== undefined && /^(28|3D)...$/.test(code)) return false
  return isUnavailable(error) && !(TLS_CODES.has(code ?? "") || /^ERR_(SSL|TLS)/.test(code ?? ""))
}

function explain(error: unknown, where: Where): string {
  const at = where.host.startsWith("/") ? where.host : `${where.host}:${where.port}`
  const code = toErrorCode(error) ?? ""
  const message = error instanceof Error ? error.message : ""
  const host = "storage.postgres.host and storage.postgres.port"
  if (code === "ECONNREFUSED" || code === "ENOENT")
    return `no PostgreSQL listens at ${at}: start it, or correct ${host}`
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the host ${where.host} is not known: correct storage.postgres.host`
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT")
    return `PostgreSQL at ${at} cannot be reached: check ${host}, and the network between`
  if (code === "DATABASE_TIMEOUT" || /timeout/i.test(message))
    return `PostgreSQL at ${at} does not answer: check that it runs and that ${host} are right`
  if (/password must be a string|no password/i.test(message))
    return `PostgreSQL at ${at} asks for the password of user "${where.user}", and none is set: set storage.postgres.password`
  if (code === "28P01" || /SASL/i.test(message))
    return `PostgreSQL at ${at} refused the password of user "${where.user}": correct storage.postgres.password`
  if (/channel binding/i.test(message))
    return `PostgreSQL at ${at} offers no channel binding, and channel_binding is require: use TLS and scram-sha-256 there, or remove the parameter`
  if (code === "28000" && /pg_hba\.conf/.test(message)) return explainRejection(at, where, message)
  if (code === "28000")
    return `PostgreSQL at ${at} refused user "${where.user}": create the role, or correct storage.postgres.user`
  if (code === "3D000")
    return `there is no database "${where.database}" on ${at}: create it (createdb ${where.database}), or correct storage.postgres.database`
  if (code.startsWith("53")) return `PostgreSQL at ${at} accepts no further connection now: raise its max_connections`
  if (code === "57P03") return `PostgreSQL at ${at} is starting or stopping: try again in a moment`
  if (/does not support SSL/.test(message))
    return `PostgreSQL at ${at} offers no TLS, and storage.postgres.sslmode is ${where.sslmode}: turn ssl on there, or set it to prefer`
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `the TLS certificate of PostgreSQL at ${at} is for another name (${code}): set storage.postgres.host to a name in it, or storage.postgres.sslmode to verify-ca`
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return `the TLS certificate of PostgreSQL at ${at} is not valid at this time (${code}): renew it there, or correct the clock of this machine`
  if (TLS_CODES.has(code) || code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS"))
    return `the TLS certificate of PostgreSQL at ${at} was not accepted (${code}): storage.postgres.sslmode is ${where.sslmode}; give its authority (sslrootcert in storage.postgres.url, or NODE_EXTRA_CA_CERTS)`
  return `cannot connect to PostgreSQL at ${at}${code ? ` (${code})` : ""}: ${firstLine(message)}`
}

/** Returns what a database does that cannot be used, for readers who may not learn its host and its user. */
export function describeOutage(error: unknown): string {
  const code = toErrorCode(error) ?? ""
  if (code.startsWith("28")) return "rejects the gateway's user or password"
  if (code === "3D000") return "does not exist"
  if (code.startsWith("53")) return "accepts no further connection"
  if (code === "57P03") return "is starting or stopping"
  return "does not answer"
}

function explainRejection(at: string, where: Where, message: string): string {
  const plain = /no encryption|SSL off/.test(message)
  const todo = plain ? "set storage.postgres.sslmode to require, or allow it in pg_hba.conf" : "allow it in pg_hba.conf"
  return `PostgreSQL at ${at} does not let user "${where.user}" into database "${where.database}" from here: ${todo}`
}

/**
 * Returns a CommandError that says in one line what is wrong and what to do, if the state of the database or of the
 * connection is at fault; else the error itself, which is a bug.
 */
export function explainServerError(error: unknown): unknown {
  if (error instanceof CommandError) return error
  const code = toErrorCode(error) ?? ""
  const explained = SERVER_ERRORS.find(([codes]) => codes.test(code))?.[1]
  const message = firstLine(error instanceof Error ? error.message : "")
  if (explained !== undefined) return new CommandError(explained.replace("MESSAGE", () => message))
  if (!isUnavailable(error)) return error
  return new CommandError(`the database stopped answering (${message || code}): check that it runs, and run it again`)
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const SERVER_ERRORS: readonly (readonly [codes: RegExp, explained: string])[] = [
  [/^(42P01|42703)$/, "the database has no schema yet, or an old one: run majordomo-gateway migrate"],
  [
    /^25006$/,
    "the database accepts no writes: it is a standby, or default_transaction_read_only is on; connect to the primary, or turn the setting off (ALTER DATABASE NAME RESET default_transaction_read_only, or the same with ALTER ROLE)",
  ],
  [
    /^55P03$/,
    "another transaction holds a lock that is needed, for 10 s and longer: end it (SELECT pid, usename, application_name, xact_start FROM pg_stat_activity ORDER BY xact_start), and run it again",
  ],
  [/^42501$/, "the database user may not do this (MESSAGE): grant it, or use the owner of the tables"],
  [/^40...$/, "the database ended the transaction because of a concurrent one (MESSAGE): run it again"],
  [/^53100$/, "the disk of the database is full: free some space, and run it again"],
  [/^57014$/, "the database canceled the statement (MESSAGE): raise statement_timeout, or run it again"],
]

function firstLine(message: string): string {
  return redactSecretValues(message.split("\n", 1)[0]!)
}
