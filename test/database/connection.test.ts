import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CommandError } from "../../src/core/errors.ts"
import { openDatabase } from "../../src/database/open.ts"
import { NO_POSTGRES, postgresAt } from "../support/databases.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"

const TLS = new URL("../fixtures/tls/", import.meta.url)
const AUTHORITY = fileURLToPath(new URL("authority.crt", TLS))
const tls = {
  key: readFileSync(new URL("server.key", TLS), "utf8"),
  cert: readFileSync(new URL("server.crt", TLS), "utf8"),
}
const context = { role: "command", log: () => {} } as const

const USES_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

async function usesTls(options: ReturnType<typeof postgresAt>): Promise<boolean> {
  const db = await openDatabase(options, context)
  try {
    return (await db.query<{ ssl: boolean }>(USES_TLS)).rows[0]!.ssl
  } finally {
    await db.close()
  }
}

async function failure(options: ReturnType<typeof postgresAt>): Promise<string> {
  const error = await openDatabase(options, context).then(
    () => "it connected",
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CommandError)
  const { message } = error as CommandError
  expect(message).not.toContain("\n")
  expect(message).not.toMatch(/test-password|wrong-password/)
  return message
}

describe("sslmode", () => {
  let plain: PostgresServer
  let secure: PostgresServer
  let secureOnly: PostgresServer
  let plainOnly: PostgresServer
  beforeAll(async () => {
    plain = await startPostgres()
    secure = await startPostgres({ tls })
    secureOnly = await startPostgres({ tls, hostRules: ["hostssl all all all scram-sha-256"] })
    plainOnly = await startPostgres({ tls, hostRules: ["hostnossl all all all scram-sha-256"] })
  })
  afterAll(() => Promise.all([plain, secure, secureOnly, plainOnly].map((server) => server?.remove())))
  const at = (server: PostgresServer, sslmode: string, query = "") =>
    postgresAt(`${server.url}?sslmode=${sslmode}${query}`.replace("127.0.0.1", "localhost"))

  test("disable uses no TLS, even if the server offers it", async () => {
    expect(await usesTls(at(secure, "disable"))).toBe(false)
    expect(await failure(at(secureOnly, "disable"))).toMatch(/set storage\.postgres\.sslmode to require/)
  })

  test("prefer uses TLS if the server offers it, with any certificate, else no TLS; also if the server rejects TLS", async () => {
    expect(await usesTls(at(secure, "prefer"))).toBe(true)
    expect(await usesTls(at(plain, "prefer"))).toBe(false)
    expect(await usesTls(at(secureOnly, "prefer"))).toBe(true)
    expect(await usesTls(at(plainOnly, "prefer"))).toBe(false)
  })

  test("[S9] allow uses TLS only if the server wants it", async () => {
    expect(await usesTls(at(secure, "allow"))).toBe(false)
    expect(await usesTls(at(secureOnly, "allow"))).toBe(true)
    expect(await usesTls(at(plainOnly, "allow"))).toBe(false)
    expect(await usesTls(at(plain, "allow"))).toBe(false)
  })

  test("[S9] require with an authority checks the authority, as libpq does", async () => {
    const rootOf = (name: string) => `&sslrootcert=${encodeURIComponent(fileURLToPath(new URL(name, TLS)))}`
    expect(await usesTls(at(secure, "require", rootOf("authority.crt")))).toBe(true)
    expect(await failure(at(secure, "require", rootOf("expired.crt")))).toMatch(/certificate .* was not accepted/)
  })

  test("[S9] sslrootcert=system means verify-full, and rejects a weaker sslmode", async () => {
    const system = (query: string) => postgresAt(`${secure.url}?sslrootcert=system${query}`)
    expect(await failure(system(""))).toMatch(/certificate .* was not accepted .*sslmode is verify-full/)
    expect(await failure(system("&sslmode=verify-full"))).toMatch(/certificate .* was not accepted/)
    for (const mode of ["disable", "allow", "prefer", "require", "verify-ca"]) {
      expect(await failure(system(`&sslmode=${mode}`))).toBe(
        `storage.postgres.url: sslrootcert=system needs sslmode=verify-full, got sslmode=${mode}`,
      )
    }
  })

  test("[S9] channel_binding=require accepts only a server that is bound to its TLS connection", async () => {
    const bound = "&channel_binding=require"
    expect(await usesTls(at(secure, "require", bound))).toBe(true)
    expect(await usesTls(at(secure, "require", "&channel_binding=prefer"))).toBe(true)
    expect(await failure(at(plain, "prefer", bound))).toMatch(/offers no channel binding/)
    expect(await failure(at(secure, "disable", bound))).toMatch(/channel_binding=require needs TLS/)
    expect(await failure(at(secure, "require", "&channel_binding=yes"))).toMatch(/expected a channel_binding of/)
    const trusting = await startPostgres({ tls, hostRules: ["host all all all trust"] })
    expect(await failure(at(trusting, "require", bound))).toMatch(/offers no channel binding/)
    await trusting.remove()
  })

  test("[S9] a parameter of the URL that has no effect is rejected by its name", async () => {
    expect(await failure(at(secure, "require", "&sslcrl=revoked.pem"))).toMatch(
      /^storage\.postgres\.url: the parameter "sslcrl" is not supported: remove it/,
    )
    expect(await failure(at(secure, "require", "&target_session_attrs=standby"))).toMatch(
      /the parameter target_session_attrs with this value is not supported/,
    )
    expect(await usesTls(at(secure, "require", "&connect_timeout=5&application_name=x"))).toBe(true)
  })

  test("several servers: the first one that accepts writes is used, and the others when it is away", async () => {
    const { url, port } = plain
    const at = (hosts: string) => postgresAt(url.replace(`127.0.0.1:${port}`, hosts))
    const nobody = "127.0.0.1:1"
    for (const hosts of [`${nobody},127.0.0.1:${port}`, `127.0.0.1:${port},${nobody}`]) {
      const db = await openDatabase(at(hosts), { role: "command", log: () => {} })
      expect((await db.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }])
      await db.close()
    }
    expect(await failure(at(`${nobody},127.0.0.1:2`))).toMatch(
      /^no PostgreSQL listens at 127\.0\.0\.1:1,127\.0\.0\.1:2:/,
    )
    expect(await failure(at(`127.0.0.1:x,127.0.0.1:${port}`))).toMatch(/got the port "x"/)
  })

  test("require uses TLS with any certificate", async () => {
    expect(await usesTls(at(secure, "require"))).toBe(true)
    expect(await failure(at(plain, "require"))).toMatch(/offers no TLS, and storage\.postgres\.sslmode is require/)
  })

  test("verify-ca requires a known authority, verify-full also the right name", async () => {
    const known = `&sslrootcert=${encodeURIComponent(AUTHORITY)}`
    expect(await failure(at(secure, "verify-ca"))).toMatch(/certificate .* was not accepted/)
    expect(await usesTls(at(secure, "verify-ca", known))).toBe(true)
    expect(await usesTls(at(secure, "verify-full", known))).toBe(true)
    const byAddress = (mode: string) => postgresAt(`${secure.url}?sslmode=${mode}${known}`)
    expect(await usesTls(byAddress("verify-ca"))).toBe(true)
    expect(await failure(byAddress("verify-full"))).toMatch(
      /certificate .* is for another name \(ERR_TLS_CERT_ALTNAME_INVALID\): set storage\.postgres\.host to a name in it/,
    )
    expect(await failure(at(secure, "verify-full", "&sslrootcert=/etc/passwd"))).toMatch(
      /the file of sslrootcert is not in PEM format: \/etc\/passwd$/,
    )
  })

  test("a socket directory as host needs neither TLS nor a password", async () => {
    const options = {
      ...NO_POSTGRES,
      isSet: true,
      host: plain.socketDir,
      port: plain.port,
      user: "postgres",
      database: "postgres",
    }
    expect(await usesTls({ driver: "auto", dataDir: "", postgres: { ...options, sslmode: "verify-full" } })).toBe(false)
    const url = `postgres://postgres@/postgres?host=${encodeURIComponent(plain.socketDir)}&port=${plain.port}`
    expect(await usesTls(postgresAt(url))).toBe(false)
  })

  test("[PGF-14] [SEC-09] an error says in one line what is wrong and what to do, without the password", async () => {
    const parts = {
      ...NO_POSTGRES,
      isSet: true,
      host: "127.0.0.1",
      port: plain.port,
      user: "postgres",
      password: "test-password",
      database: "postgres",
    }
    const by = (change: Partial<typeof parts>) =>
      failure({ driver: "postgres", dataDir: "", postgres: { ...parts, ...change } })
    const here = `127.0.0.1:${plain.port}`
    expect(await by({ port: 1 })).toBe(
      "no PostgreSQL listens at 127.0.0.1:1: start it, or correct storage.postgres.host and storage.postgres.port",
    )
    expect(await by({ password: "wrong-password" })).toBe(
      `PostgreSQL at ${here} refused the password of user "postgres": correct storage.postgres.password`,
    )
    expect(await by({ password: undefined })).toBe(
      `PostgreSQL at ${here} asks for the password of user "postgres", and none is set: set storage.postgres.password`,
    )
    expect(await by({ database: "nowhere" })).toBe(
      `there is no database "nowhere" on ${here}: create it (createdb nowhere), or correct storage.postgres.database`,
    )
    expect(await by({ host: "no-such-host.invalid" })).toBe(
      "the host no-such-host.invalid is not known: correct storage.postgres.host",
    )
    expect(await by({ sslmode: "sometimes" })).toMatch(
      /^storage\.postgres\.sslmode: expected one of disable, allow, prefer, .*, got "sometimes"$/,
    )
    expect(await by({ url: "postgres://u:wrong-password%@h/d" })).toMatch(
      /^storage\.postgres\.url: expected postgres:\/\/USER/,
    )
    expect(await by({ url: "mysql://u:wrong-password@h/d" })).toMatch(/got the scheme mysql$/)
    expect(await by({ url: "postgres://u:wrong-password@a,b/d" })).toMatch(/storage\.postgres\.url|is not known/)
  })

  test("a server that accepts connections but does not answer fails", async () => {
    const server = await startPostgres()
    await server.freeze()
    expect(await failure(postgresAt(server.url))).toMatch(/does not answer: check that it runs/)
    await server.remove()
  })
})
