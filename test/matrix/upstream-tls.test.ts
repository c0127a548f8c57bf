import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const path = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))
const read = (name: string) => readFileSync(path(name), "utf8")

let good: FakeProvider
let expired: FakeProvider
let old: { readonly port: number; readonly requests: () => number; close(): void }
let home: Installation
let gateway: RunningGateway
let key: string
beforeAll(async () => {
  good = await startFakeProvider({ tls: { key: read("server.key"), cert: read("server.crt") } })
  expired = await startFakeProvider({ tls: { key: read("expired.key"), cert: read("expired.crt") } })
  old = await startOldTls()
  const { url } = await createTestDatabase()
  home = createInstallation({ MAJORDOMO_PRICING_REMOTE_URL: "", DATABASE_URL: url }, { inProcess: true })
  // NODE_EXTRA_CA_CERTS adds the test's own authority, so that a rejection does not come from missing trust.
  writeFileSync(join(home.home, "authorities.pem"), read("authority.crt") + read("expired.crt"))
  const provider = (name: string, url: string) => `  ${name}: { base_url: "${url}", format: openai }\n`
  writeFileSync(
    join(home.home, "majordomo.yaml"),
    `providers:\n${provider("trusted", `https://localhost:${good.port}`)}` +
      provider("wrong-host", `https://127.0.0.1:${good.port}`) +
      provider("expired", `https://localhost:${expired.port}`) +
      provider("old", `https://localhost:${old.port}`),
  )
  key = ((await home.runJson(["keys", "create", "--name", "test"])) as { key: string }).key
})
afterAll(async () => {
  await gateway?.stop()
  await home.remove()
  await Promise.all([good.close(), expired.close(), old.close()])
})

/** A server that supports only TLS 1.0. */
async function startOldTls() {
  let requests = 0
  const server = createServer(
    {
      key: read("server.key"),
      cert: read("server.crt"),
      minVersion: "TLSv1",
      maxVersion: "TLSv1",
      ciphers: "DEFAULT@SECLEVEL=0",
    },
    (_request, response) => {
      requests++
      response.end("{}")
    },
  )
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { port: (server.address() as AddressInfo).port, requests: () => requests, close: () => server.close() }
}

async function ask(provider: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${gateway.origin}/v1/models`, {
    headers: { "x-majordomo-key": key, "x-majordomo-provider": provider, authorization: "Bearer sk-1" },
  })
  return { status: response.status, text: await response.text() }
}

test.each([
  ["by default", {}],
  ["with node's variable that turns verification off", { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
])(
  "[CON-06] a provider with a wrong name, an expired certificate or an old protocol is rejected, and a custom authority can be added (%s)",
  async (_, settings) => {
    await gateway?.stop()
    gateway = await home.serve({ settings: { ...settings, NODE_EXTRA_CA_CERTS: join(home.home, "authorities.pem") } })
    good.reset()
    expect((await ask("trusted")).status).toBe(200)
    expect(good.exchanges.length).toBe(1)
    for (const provider of ["wrong-host", "expired", "old"]) {
      const { status, text } = await ask(provider)
      expect([provider, status]).toEqual([provider, 502])
      expect(text).toContain("provider_unreachable")
      expect(text).not.toMatch(/localhost|127\.0\.0\.1|sk-1/)
    }
    expect([good.exchanges.length, expired.exchanges.length, old.requests()]).toEqual([1, 0, 0])
  },
)
