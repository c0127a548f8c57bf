import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"

const ROLES = fileURLToPath(new URL("../../deploy/postgres-roles.sql", import.meta.url))

/** Runs a statement on a connection of its own. */
async function query(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url, options: "-c search_path=majordomo" })
  await client.connect()
  try {
    return await client.query(text)
  } finally {
    await client.end()
  }
}

describe("the roles of deploy/postgres-roles.sql", () => {
  let server: PostgresServer
  let installation: Installation
  let provider: Awaited<ReturnType<typeof startFakeProvider>>
  const urlOf = (user: string, password: string) => {
    const url = new URL(server.url)
    Object.assign(url, { username: user, password, pathname: "/majordomo" })
    return url.href
  }
  const owner = () => urlOf("majordomo_owner", "o'wner")
  const gateway = () => urlOf("majordomo", "g'ateway")

  beforeAll(async () => {
    server = await startPostgres()
    await query(server.url, "CREATE DATABASE majordomo")
    const admin = new URL(server.url)
    admin.pathname = "/majordomo"
    const words = ["-v", "ON_ERROR_STOP=1", "-v", "owner_password=o'wner", "-v", "gateway_password=g'ateway"]
    execFileSync("psql", [...words, "-X", "-q", "-f", ROLES, admin.href], { stdio: "pipe" })
    provider = await startFakeProvider()
    installation = createInstallation(
      {
        DATABASE_URL: gateway(),
        MAJORDOMO_STORAGE_POSTGRES_SCHEMA: "majordomo",
        MAJORDOMO_STORAGE_AUTO_MIGRATE: "false",
        MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
        MAJORDOMO_PRICING_REMOTE_URL: "",
        MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      },
      { inProcess: true },
    )
  })
  afterAll(async () => {
    await installation?.remove()
    await provider?.close()
    await server?.remove()
  })

  test("the gateway's role cannot migrate, and the error says who can", async () => {
    const { code, stderr } = await installation.run(["migrate"])
    expect(code).toBe(1)
    expect(stderr).toMatch(/may not create or change tables here .*: grant it, or run migrate as their owner/)
  })

  test("the owner migrates, and then the gateway serves and every command works as the lesser role", async () => {
    expect(await installation.run(["migrate"], { DATABASE_URL: owner() })).toMatchObject({ code: 0 })
    const running = await installation.serve()
    // A container's log must not have the first key.
    await expect.poll(() => running.stderr).toContain("majordomo-gateway keys create --name NAME creates one")
    expect(running.stdout + running.stderr).not.toContain("mdm_sk_")
    const { key, id } = (await installation.runJson(["keys", "create", "--name", "One"])) as { key: string; id: string }
    const headers = { "X-Majordomo-Key": key, "X-Majordomo-User-Id": "1", "Content-Type": "application/json" }
    const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] })
    const response = await fetch(`${running.origin}/v1/chat/completions`, { method: "POST", headers, body })
    expect(response.status).toBe(200)
    await response.text()
    const request = response.headers.get("x-majordomo-request-id")!
    await expect
      .poll(() => installation.run(["usage", "request", request]), { interval: 300 })
      .toMatchObject({ code: 0 })
    const commands = [
      ["migrate"],
      ["metadata", "list"],
      ["metadata", "activate", "User-Id"],
      ["metadata", "deactivate", "User-Id"],
      ["keys", "list"],
      ["keys", "get", id],
      ["keys", "update", id, "--name", "Two"],
      ["usage"],
      ["usage", "requests"],
      ["usage", "runs"],
      ["usage", "pending"],
      ["usage", "export", "--bodies"],
      ["pricing", "history", "gpt-4o-mini"],
      ["pricing", "reprice", "--since", "1d"],
      ["verify"],
      ["verify", "--repair"],
      ["prune", "--older-than", "1d"],
      ["health"],
      ["keys", "revoke", id],
    ]
    const failed: unknown[] = []
    for (const command of commands) {
      const settings: Record<string, string> =
        command[0] === "health" ? { MAJORDOMO_SERVER_PORT: String(running.port) } : {}
      const { code, stderr } = await installation.run(command, settings)
      if (code !== 0) failed.push({ command, code, stderr })
    }
    expect(failed).toEqual([])
    // The machine of the tests reaches no other provider, so only what concerns rights is of interest.
    expect((await installation.run(["doctor"])).stdout).not.toMatch(/permission denied|must be owner/)
    await running.stop()
    for (const change of ["UPDATE llm_audit SET action = 'x'", "DELETE FROM llm_audit"]) {
      await expect(query(gateway(), change)).rejects.toThrow("llm_audit only takes new rows")
    }
  })

  const forbidden = [
    "DROP TABLE llm_requests",
    "DROP TABLE api_keys CASCADE",
    "DROP SCHEMA majordomo CASCADE",
    "DROP DATABASE majordomo",
    "TRUNCATE llm_requests",
    "ALTER TABLE llm_requests DISABLE TRIGGER ALL",
    "ALTER TABLE llm_requests DROP COLUMN total_cost",
    "CREATE TABLE mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE mine",
    "SET ROLE majordomo_owner",
    "SET session_replication_role = replica",
    "COPY llm_requests TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/hostname')",
  ]
  test.each(forbidden)("the gateway's role may not: %s", async (text) => {
    await expect(query(gateway(), text)).rejects.toMatchObject({ code: "42501" })
  })
})
