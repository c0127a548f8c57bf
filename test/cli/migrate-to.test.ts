import { afterAll, describe, expect, test } from "vitest"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

describe("migrate --to URL", () => {
  const installation = createInstallation({ MAJORDOMO_PRICING_REMOTE_URL: "" })
  afterAll(() => installation.remove())

  test("works while the gateway runs: keys are valid in the other database, and a second run adds nothing", async () => {
    const gateway = await installation.serve()
    const { url } = await createTestDatabase({ empty: true })
    const created = (await installation.runJson(["keys", "create", "--name", "Moved"])) as { readonly id: string }
    expect(await installation.runJson(["migrate", "--to", url])).toEqual({
      keys: 2,
      requests: 0,
      added: 0,
      repricings: 0,
      sums_left_out: null,
    })
    const again = await installation.run(["migrate", "--to", url])
    expect(again).toMatchObject({ code: 0, stderr: "" })
    expect(again.stdout).toMatch(/^Copied 0 of 0 requests and 2 keys\.\n/)
    await gateway.stop()
    const there = await installation.runJson(["keys", "get", created.id], { DATABASE_URL: url })
    expect(there).toMatchObject({ name: "Moved", status: "active" })
  })

  const refused: readonly (readonly [
    what: string,
    to: string,
    env: Record<string, string>,
    code: number,
    why: RegExp,
  ])[] = [
    ["a text that is no address", "mysql://x", {}, 2, /^error: --to: expected postgres:/],
    ["an unreachable PostgreSQL", "postgres://x:geheim@127.0.0.1:9/x", {}, 1, /no PostgreSQL listens/],
    ["a source that is not embedded", "postgres://x@127.0.0.1:9/x", { DATABASE_URL: "use" }, 1, /use pg_dump/],
  ]
  test.each(refused)("%s is rejected in one line without its password", async (_what, to, env, code, why) => {
    const settings: Record<string, string> = env["DATABASE_URL"]
      ? { DATABASE_URL: (await createTestDatabase()).url }
      : {}
    const ran = await installation.run(["migrate", "--to", to], settings)
    expect(ran).toMatchObject({ code, stdout: "" })
    expect(ran.stderr).toMatch(why)
    expect(ran.stderr.trim().split("\n")).toHaveLength(1)
    expect(ran.stderr).not.toContain("geheim")
  })
})
