import { mkdtemp } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { checkPrices } from "../../src/operations/doctor/prices.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { bodyOf } from "../pricing/_list.ts"

const TODAY = new Date().toISOString().slice(0, 10)
const server = createServer((_, response) => response.end(JSON.stringify(bodyOf([], TODAY))))
let url: string
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => server.close())

async function check(pricing: Readonly<Record<"remoteUrl" | "catalogUrl" | "litellmUrl", string>>) {
  const dir = await mkdtemp(join(tmpdir(), "doctor-prices-"))
  const { settings } = await loadSettings({ cwd: dir, env: { HOME: dir } })
  const own = { ...settings, pricing: { ...settings.pricing, ...pricing } }
  return checkPrices({ settings: own, log: () => {} })
}

test("the doctor names each price list that is fetched, with its day", async () => {
  expect(await check({ remoteUrl: url, catalogUrl: "", litellmUrl: "" })).toMatchObject([
    { check: "prices", status: "ok", message: expect.stringContaining(`lists: llm-prices.com of ${TODAY}`) },
  ])
  expect(await check({ remoteUrl: "", catalogUrl: "", litellmUrl: "" })).toMatchObject([
    { status: "ok", message: expect.stringContaining("no list is fetched") },
  ])
})

test("the doctor warns of each price list that cannot be fetched", async () => {
  expect(await check({ remoteUrl: url, catalogUrl: url, litellmUrl: url })).toMatchObject([
    {
      status: "warning",
      message: expect.stringMatching(
        /genai-prices: expected a list of providers; litellm: expected at least 20 usable/,
      ),
      fix: expect.stringContaining("pricing settings"),
    },
  ])
})
