import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { ConnectionOptions } from "node:tls"
import type { PoolConfig } from "pg"
import { CommandError } from "../core/errors.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import type { TlsFallback } from "./connector.ts"
import type { Where } from "./failures.ts"
import { type ChannelBinding, checkParameters, toChannelBinding } from "./url-parameters.ts"

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const
type SslMode = (typeof SSL_MODES)[number]

/** The settings under `storage.postgres`. */
export interface PostgresOptions {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly maxConns: number | undefined
  /** A connection string that replaces the parts. For the parameters of its query see `url-parameters.ts`. */
  readonly url: string | undefined
  /** The schema that contains the gateway's tables. Default: see `prepareSession`. */
  readonly schema: string | undefined
  /** Whether the user has set any of these settings. */
  readonly isSet: boolean
}

interface Connection {
  readonly config: PoolConfig
  readonly tlsFallback: TlsFallback | undefined
  readonly requireChannelBinding: boolean
  readonly where: Where
}

/** Returns the options of a connection. `sslmode` means what it means in libpq. Throws a CommandError without the URL in it. */
export function toConnection(options: PostgresOptions): Connection {
  const parts = options.url ? parseUrl(options.url) : undefined
  const host = parts?.host ?? options.host ?? "localhost"
  const port = parts?.port ?? options.port ?? 5432
  const user = parts?.user ?? options.user
  const database = parts ? (parts.database ?? user) : (options.database ?? "majordomo")
  const files = parts?.files ?? {}
  const sslmode = toSslMode(parts?.sslmode ?? options.sslmode, files)
  const ssl = host.startsWith("/") ? false : toTls(sslmode, files)
  const channelBinding = parts?.channelBinding
  if (channelBinding === "require" && ssl === false) {
    throw new CommandError(
      "storage.postgres.url: channel_binding=require needs TLS: set sslmode to require or verify-full",
    )
  }
  return {
    config: {
      host,
      port,
      user,
      password: parts?.password ?? options.password,
      database,
      ssl,
      max: options.maxConns ?? 20,
      ...(channelBinding !== "disable" && channelBinding !== undefined && { enableChannelBinding: true }),
      ...(parts?.applicationName !== undefined && { application_name: parts.applicationName }),
    },
    tlsFallback: ssl === false ? undefined : TLS_FALLBACKS[sslmode],
    requireChannelBinding: channelBinding === "require",
    where: { host, port, user: user ?? "", database: database ?? "", sslmode },
  }
}

/** What to try when the first attempt is rejected because of its use of TLS. */
const TLS_FALLBACKS: Partial<Record<SslMode, TlsFallback>> = { allow: "tls", prefer: "plain" }

/** With the system's authorities, anyone can have a certificate, so that libpq accepts no mode that ignores its name. */
function toSslMode(given: string | undefined, { sslrootcert }: TlsFiles): SslMode {
  const text = given ?? (sslrootcert === "system" ? "verify-full" : "prefer")
  if (sslrootcert === "system" && text !== "verify-full") {
    throw new CommandError(`storage.postgres.url: sslrootcert=system needs sslmode=verify-full, got sslmode=${text}`)
  }
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
  const root = files.sslrootcert ?? findDefault("root.crt")
  const cert = files.sslcert ?? findDefault("postgresql.crt")
  const key = files.sslkey ?? (cert === undefined ? undefined : findDefault("postgresql.key"))
  const certificates = {
    ...(root && root !== "system" && { ca: readPem("sslrootcert", root) }),
    ...(cert && { cert: readPem("sslcert", cert) }),
    ...(key && { key: readPem("sslkey", key) }),
  }
  // When a certificate authority is given, libpq checks the chain in the mode `require` too.
  const checksChain = mode.startsWith("verify") || (mode === "require" && certificates.ca !== undefined)
  if (!checksChain) return { ...certificates, rejectUnauthorized: false }
  return mode === "verify-full" ? certificates : { ...certificates, checkServerIdentity: () => undefined }
}

/** Finds a file where libpq looks for it when it is not named. */
function findDefault(name: string): string | undefined {
  const path = join(findHomeDirectory(), ".postgresql", name)
  return existsSync(path) ? path : undefined
}

function readPem(name: string, path: string): string {
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch {
    throw new CommandError(`storage.postgres.url: cannot read the file of ${name}: ${path}`)
  }
  // Node ignores a file of authorities that contains none.
  if (text.includes("-----BEGIN ")) return text
  throw new CommandError(`storage.postgres.url: the file of ${name} is not in PEM format: ${path}`)
}

interface UrlParts {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: string | undefined
  readonly channelBinding: ChannelBinding | undefined
  readonly applicationName: string | undefined
  readonly files: TlsFiles
}

function parseUrl(text: string): UrlParts {
  const toError = (why: string) =>
    new CommandError(`storage.postgres.url: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, ${why}`)
  // The URL standard requires a host, libpq does not: postgres:///name?host=/run/postgresql
  const withoutHost = /^(postgres(?:ql)?:\/\/)([^/?#]*@)?(?=[/?#]|$)/
  let url: URL
  try {
    url = new URL(text.replace(withoutHost, (_, scheme: string, login = "") => `${scheme}${login}localhost`))
  } catch {
    throw toError(
      text.includes(",")
        ? "and one host only"
        : "got something else (is a character of the password not percent-encoded?)",
    )
  }
  if (!/^postgres(ql)?:$/.test(url.protocol)) throw toError(`got the scheme ${url.protocol.slice(0, -1)}`)
  const decode = (part: string) => {
    try {
      return part === "" ? undefined : decodeURIComponent(part)
    } catch {
      throw toError("got a percent sign that encodes nothing")
    }
  }
  checkParameters(url.searchParams)
  const parameter = (name: string) => url.searchParams.get(name) ?? undefined
  const port = url.port || parameter("port")
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw toError(`got the port "${port}"`)
  return {
    host: parameter("host") ?? decode(url.hostname)?.replace(/^\[(.*)\]$/, "$1"),
    port: port === undefined ? undefined : Number(port),
    user: decode(url.username) ?? parameter("user"),
    password: decode(url.password) ?? parameter("password"),
    database: decode(url.pathname.replace(/^\//, "")) ?? parameter("dbname"),
    sslmode: parameter("sslmode"),
    channelBinding: toChannelBinding(parameter("channel_binding")),
    applicationName: parameter("application_name"),
    files: { sslrootcert: parameter("sslrootcert"), sslcert: parameter("sslcert"), sslkey: parameter("sslkey") },
  }
}
