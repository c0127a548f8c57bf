import { readFileSync } from "node:fs"
import type { ConnectionOptions } from "node:tls"
import type { PoolConfig } from "pg"
import { CommandError } from "../core/errors.ts"
import type { Where } from "./failures.ts"

export const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const
export type SslMode = (typeof SSL_MODES)[number]

/** The settings under `storage.postgres`, as the configuration gives them. */
export interface PostgresOptions {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly maxConns: number | undefined
  /** A connection string instead of the parts; `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `host` may be in its query. */
  readonly url: string | undefined
  /** Whether the user set any of them. */
  readonly isSet: boolean
}

export interface Connection {
  readonly config: PoolConfig
  /** TLS if the server has it, else plain (libpq's `prefer`). */
  readonly preferTls: boolean
  readonly where: Where
}

/** The settings of a connection with libpq's meaning of `sslmode`. Throws CommandError, never with the URL in it. */
export function toConnection(options: PostgresOptions): Connection {
  const parts = options.url ? parseUrl(options.url) : undefined
  const host = parts?.host ?? options.host ?? "localhost"
  const port = parts?.port ?? options.port ?? 5432
  const user = parts?.user ?? options.user
  const database = parts ? (parts.database ?? user) : (options.database ?? "majordomo")
  const sslmode = toSslMode(parts?.sslmode ?? options.sslmode ?? "prefer")
  const ssl = host.startsWith("/") ? false : toTls(sslmode, parts?.files ?? {})
  return {
    config: {
      host,
      port,
      user,
      password: parts?.password ?? options.password,
      database,
      ssl,
      max: options.maxConns ?? 20,
    },
    preferTls: ssl !== false && sslmode === "prefer",
    where: { host, port, user: user ?? "", database: database ?? "", sslmode },
  }
}

function toSslMode(text: string): SslMode {
  if (text === "allow") return "prefer" // plain first, TLS if need be: what we do is never weaker
  const mode = SSL_MODES.find((each) => each === text)
  if (mode === undefined) {
    throw new CommandError(`storage.postgres.sslmode: expected one of ${SSL_MODES.join(", ")}, got "${text}"`)
  }
  return mode
}

type TlsFiles = Partial<Record<"sslrootcert" | "sslcert" | "sslkey", string>>

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
function toTls(mode: SslMode, files: TlsFiles): ConnectionOptions | false {
  if (mode === "disable") return false
  const own = {
    ...(files.sslrootcert && files.sslrootcert !== "system" && { ca: readPem("sslrootcert", files.sslrootcert) }),
    ...(files.sslcert && { cert: readPem("sslcert", files.sslcert) }),
    ...(files.sslkey && { key: readPem("sslkey", files.sslkey) }),
  }
  // With an authority given, libpq checks the chain in mode `require` too.
  const checksChain = mode.startsWith("verify") || (mode === "require" && own.ca !== undefined)
  if (!checksChain) return { ...own, rejectUnauthorized: false }
  return mode === "verify-full" ? own : { ...own, checkServerIdentity: () => undefined }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    throw new CommandError(`storage.postgres.url: cannot read the file of ${name}: ${path}`)
  }
}

interface UrlParts {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly files: TlsFiles
}

function parseUrl(text: string): UrlParts {
  const refuse = (why: string) =>
    new CommandError(`storage.postgres.url: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, ${why}`)
  // The URL standard wants a host; libpq does not: postgres:///name?host=/run/postgresql
  const hostless = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?(?=[/?#]|$)/
  let url: URL
  try {
    url = new URL(text.replace(hostless, (_, scheme: string, login = "") => `${scheme}${login}localhost`))
  } catch {
    throw refuse(
      text.includes(",")
        ? "and one host only"
        : "got something else (is a character of the password not percent-encoded?)",
    )
  }
  if (!/^postgres(ql)?:$/.test(url.protocol)) throw refuse(`got the scheme ${url.protocol.slice(0, -1)}`)
  const decode = (part: string) => {
    try {
      return part === "" ? undefined : decodeURIComponent(part)
    } catch {
      throw refuse("got a percent sign that encodes nothing")
    }
  }
  const asked = (name: string) => url.searchParams.get(name) ?? undefined
  const port = url.port || asked("port")
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw refuse(`got the port "${port}"`)
  return {
    host: asked("host") ?? decode(url.hostname)?.replace(/^\[(.*)\]$/, "$1"),
    port: port === undefined ? undefined : Number(port),
    user: decode(url.username) ?? asked("user"),
    password: decode(url.password) ?? asked("password"),
    database: decode(url.pathname.replace(/^\//, "")) ?? asked("dbname"),
    sslmode: asked("sslmode"),
    files: { sslrootcert: asked("sslrootcert"), sslcert: asked("sslcert"), sslkey: asked("sslkey") },
  }
}
