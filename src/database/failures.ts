import { CommandError } from "../core/errors.ts"

/** Returns the SQLSTATE of a server's error, or the code that Node gives to an error of a socket. */
export function toErrorCode(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined
  return typeof code === "string" ? code : undefined
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

/** Returns an error whose message says in one line what is wrong and what to do. It never receives a password. */
export function explainConnectFailure(error: unknown, where: Where): CommandError {
  return new CommandError(explain(error, where))
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
  if (code === "28P01" || /password must be a string|no password|SASL/i.test(message))
    return `PostgreSQL at ${at} refused the password of user "${where.user}": correct storage.postgres.password`
  if (code === "28000" && /pg_hba\.conf/.test(message)) return explainRejection(at, where, message)
  if (code === "28000")
    return `PostgreSQL at ${at} refused user "${where.user}": create the role, or correct storage.postgres.user`
  if (code === "3D000")
    return `there is no database "${where.database}" on ${at}: create it (createdb ${where.database}), or correct storage.postgres.database`
  if (code.startsWith("53")) return `PostgreSQL at ${at} accepts no further connection now: raise its max_connections`
  if (code === "57P03") return `PostgreSQL at ${at} is starting or stopping: try again in a moment`
  if (/does not support SSL/.test(message))
    return `PostgreSQL at ${at} offers no TLS, and storage.postgres.sslmode is ${where.sslmode}: turn ssl on there, or set it to prefer`
  if (TLS_CODES.has(code) || code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS"))
    return `the TLS certificate of PostgreSQL at ${at} was not accepted (${code}): storage.postgres.sslmode is ${where.sslmode}; give its authority (sslrootcert in storage.postgres.url, or NODE_EXTRA_CA_CERTS)`
  return `cannot connect to PostgreSQL at ${at}${code ? ` (${code})` : ""}: ${firstLine(message)}`
}

function explainRejection(at: string, where: Where, message: string): string {
  const plain = /no encryption|SSL off/.test(message)
  const todo = plain ? "set storage.postgres.sslmode to require, or allow it in pg_hba.conf" : "allow it in pg_hba.conf"
  return `PostgreSQL at ${at} does not let user "${where.user}" into database "${where.database}" from here: ${todo}`
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0]!.replace(/\/\/[^/@\s]*@/g, "//***@")
}
