import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { checkProviders } from "../../src/operations/doctor/providers.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { aRecord, connect, openTestLedger } from "../database/_ledger.ts"
import { startConnectProxy } from "../support/connect-proxy.ts"
import { createTestDatabase } from "../support/postgres.ts"

test("the doctor says to correct the proxy, and not the address of a provider, if the proxy rejects it", async () => {
  const proxy = await startConnectProxy({ credentials: "me:swordfish" })
  onTestFinished(() => proxy.close())
  const env = { HTTPS_PROXY: `http://me:wrong@127.0.0.1:${proxy.port}`, HTTP_PROXY: "" }
  const { settings } = await loadSettings({ cwd: tmpdir(), env })
  const findings = await checkProviders({ settings })
  expect(findings.find(({ message }) => message.startsWith("openai "))).toMatchObject({
    status: "problem",
    message: expect.stringMatching(/the proxy requires other credentials, 407$/),
    fix: expect.stringContaining("HTTPS_PROXY"),
  })
  expect(JSON.stringify(findings)).not.toContain("wrong")
})

describe("a provider of the defaults that cannot be reached", () => {
  const BUILT_IN = ["openai", "anthropic", "gemini"] as const
  /** Checks the providers in a network that reaches none of them. */
  async function check(env: Record<string, string>, url: string) {
    const cause = Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" })
    const fetch = vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("fetch failed", { cause }))
    onTestFinished(() => fetch.mockRestore())
    const dir = mkdtempSync(join(tmpdir(), "doctor-"))
    const { settings } = await loadSettings({ cwd: dir, env: { HOME: dir, DATABASE_URL: url, ...env } })
    const findings = await checkProviders({ settings })
    return BUILT_IN.map((name) => findings.find(({ message }) => message.startsWith(`${name} `))?.status)
  }

  test("is a notice before the first request, because it may be meant to be used", async () => {
    const { url } = await createTestDatabase()
    expect(await check({}, url)).toEqual(["warning", "warning", "warning"])
    const { url: empty } = await createTestDatabase({ empty: true })
    expect(await check({}, empty)).toEqual(["warning", "warning", "warning"])
  })

  test("is a problem if requests went to it, and none if requests went to others only", async () => {
    const { url } = await createTestDatabase()
    const ledger = await openTestLedger(await connect(url), mkdtempSync(join(tmpdir(), "journal-")))
    ledger.append(aRecord({ provider: "anthropic" }))
    await ledger.drain(60_000)
    await ledger.close()
    expect(await check({}, url)).toEqual(["skipped", "problem", "skipped"])
  })

  test("is a problem if a setting names its address, and others then are none", async () => {
    const { url } = await createTestDatabase()
    const env = { MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: "http://127.0.0.1:9" }
    expect(await check(env, url)).toEqual(["skipped", "skipped", "problem"])
  })

  test("is a notice if the database cannot say which are used", async () => {
    expect(await check({}, "postgres://nobody@127.0.0.1:9/none")).toEqual(["warning", "warning", "warning"])
  })
})
