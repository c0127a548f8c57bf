import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

interface Report {
  readonly healthy: boolean
  readonly findings: readonly { check: string; status: string; message: string; fix?: string }[]
}

let gateway: RunningGateway
let here: Installation
/** Another machine: its settings know no database. */
let afar: Installation
let other: FakeProvider
let token: string
beforeAll(async () => {
  const { url } = await createTestDatabase()
  here = createInstallation({ DATABASE_URL: url, MAJORDOMO_PRICING_REMOTE_URL: "" })
  afar = createInstallation({ DATABASE_URL: "postgres://me:swordfish@127.0.0.1:9/none" }, { inProcess: true })
  other = await startFakeProvider()
  token = ((await here.runJson(["tokens", "create", "--name", "me", "--role", "viewer"])) as { token: string }).token
  gateway = await here.serve()
})
afterAll(async () => {
  await afar?.remove()
  await here?.remove()
  await other?.close()
})

async function examine(origin: string, secret = token): Promise<Report & { readonly code: number | null }> {
  const { code, stdout, stderr } = await afar.run(["doctor", "--gateway", origin, "--token", secret, "--json"])
  expect(stdout + stderr).not.toContain(secret)
  return { code, ...(JSON.parse(stdout) as Report) }
}

test("doctor --gateway checks the gateway, the token and the versions, and nothing of this machine", async () => {
  const { code, healthy, findings } = await examine(gateway.origin)
  expect([code, healthy]).toEqual([0, true])
  expect(findings.map(({ check, status }) => `${check} ${status}`)).toEqual([
    "gateway ok",
    "token ok",
    "version ok",
    "records ok",
  ])
})

test("doctor --gateway says what needs attention there", async () => {
  const args = ["limits", "create", "tiny", "--measure", "cost", "--amount", "0", "--window", "total"]
  await here.runJson(args)
  const { code, findings } = await examine(gateway.origin)
  expect(findings.filter(({ status }) => status === "problem")).toEqual([
    expect.objectContaining({ check: "records", message: expect.stringContaining('"tiny"'), fix: expect.any(String) }),
  ])
  expect(code).toBe(1)
  expect((await here.run(["limits", "delete", "tiny", "--yes"])).code).toBe(0)
})

test("doctor --gateway with a token that is not valid says so, and shows none", async () => {
  const { code, findings } = await examine(gateway.origin, `mdm_admin_${"x".repeat(43)}`)
  expect(code).toBe(1)
  expect(findings.find(({ check }) => check === "token")).toMatchObject({ status: "problem" })
})

test("doctor --gateway tells an address at which nothing answers from one of another program", async () => {
  expect((await examine("http://127.0.0.1:9")).findings).toMatchObject([
    { check: "gateway", status: "problem", message: expect.stringContaining("nothing answers") },
  ])
  expect((await examine(other.origin)).findings).toMatchObject([
    { check: "gateway", status: "problem", message: expect.stringContaining("a program other than the gateway") },
  ])
})

test("doctor rejects a token without a gateway", async () => {
  const { code, stderr } = await afar.run(["doctor", "--token", token])
  expect([code, stderr]).toEqual([2, "error: --token: expected --gateway, too\n"])
})
