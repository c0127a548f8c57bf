import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type ConnectProxy, startConnectProxy } from "../support/connect-proxy.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const path = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))
const read = (name: string) => readFileSync(path(name), "utf8")

let provider: FakeProvider
let proxy: ConnectProxy
let secureProxy: ConnectProxy
let home: Installation
let gateway: RunningGateway | undefined
let key: string
beforeAll(async () => {
  provider = await startFakeProvider({ tls: { key: read("proxied.key"), cert: read("proxied.crt") } })
  const local = await startFakeProvider()
  proxy = await startConnectProxy({ credentials: "me:swordfish" })
  secureProxy = await startConnectProxy({ tls: { key: read("server.key"), cert: read("server.crt") } })
  const { url } = await createTestDatabase()
  home = createInstallation({
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_UPSTREAM_CONNECT_TIMEOUT: "5s",
    DATABASE_URL: url,
  })
  writeFileSync(join(home.home, "authorities.pem"), read("authority.crt") + read("proxied.crt"))
  writeFileSync(
    join(home.home, "majordomo.yaml"),
    `providers:\n  openai: { base_url: "https://provider.test:${provider.port}" }\n` +
      `  untrusted: { base_url: "https://wrong.test:${provider.port}", format: openai }\n` +
      `  local: { base_url: "${local.origin}", format: openai }\n`,
  )
  key = ((await home.runJson(["keys", "create", "--name", "test"])) as { key: string }).key
  return () => local.close()
})
beforeEach(() => {
  proxy.fault = undefined
  provider.reset()
})
afterAll(async () => {
  await gateway?.stop()
  await home.remove()
  await Promise.all([provider.close(), proxy.close(), secureProxy.close()])
})

async function serve(settings: Readonly<Record<string, string>>): Promise<RunningGateway> {
  await gateway?.stop()
  gateway = await home.serve({ settings: { NODE_EXTRA_CA_CERTS: join(home.home, "authorities.pem"), ...settings } })
  return gateway
}

async function ask({ stream = false, to = "openai" } = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`${gateway!.origin}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-majordomo-key": key,
      "x-majordomo-provider": to,
      authorization: "Bearer sk-1",
    },
    body: JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: "hello" }] }),
  })
  return { status: response.status, text: await response.text() }
}

const address = () => `http://me:swordfish@127.0.0.1:${proxy.port}`

describe("[CON-10] [U15] proxy variables", () => {
  test.each(["MAJORDOMO_UPSTREAM_PROXY", "HTTPS_PROXY"])(
    "%s: answers and streams of a provider come through the proxy, and nothing shows its credentials",
    async (variable) => {
      const running = await serve({ [variable]: address() })
      const before = proxy.targets.length
      expect((await ask()).status).toBe(200)
      const streamed = await ask({ stream: true })
      expect(streamed.text).toContain("data: [DONE]")
      expect(provider.exchanges.length).toBe(2)
      expect(proxy.targets.slice(before)).toEqual([`provider.test:${provider.port}`])
      for (const { headers } of provider.exchanges) expect(headers).not.toHaveProperty("proxy-authorization")
      const rejected = await ask({ to: "untrusted" })
      expect(rejected.status).toBe(502)
      expect(rejected.text).toContain("its TLS certificate was not accepted")
      expect((await ask({ to: "local" })).status).toBe(200)
      const { stdout, stderr } = await running.stop()
      expect(stdout + stderr).toContain(
        `Addresses with https:// are reached through http://127.0.0.1:${proxy.port} (${variable})`,
      )
      expect(stdout + stderr + rejected.text).not.toContain("swordfish")
      expect(proxy.targets.slice(before)).not.toContain(expect.stringContaining("127.0.0.1"))
    },
  )

  test("a proxy with https:// is used, and its certificate is verified", async () => {
    await serve({ HTTPS_PROXY: `https://localhost:${secureProxy.port}` })
    expect((await ask({ stream: true })).status).toBe(200)
    expect(secureProxy.targets).toEqual([`provider.test:${provider.port}`])
    await serve({ HTTPS_PROXY: `https://127.0.0.1:${secureProxy.port}`, NODE_TLS_REJECT_UNAUTHORIZED: "0" })
    const { status, text } = await ask()
    expect([status, secureProxy.targets.length]).toEqual([502, 1])
    expect(text).toContain("no connection to the proxy, ERR_TLS_CERT_ALTNAME_INVALID")
  })

  test.each([
    ["NO_PROXY with the domain", { NO_PROXY: "other.example, .test" }],
    ["upstream.proxy: none", { MAJORDOMO_UPSTREAM_PROXY: "none" }],
  ])("%s: the provider is reached directly", async (_, settings) => {
    await serve({ HTTPS_PROXY: address(), ...settings })
    const before = proxy.targets.length
    // The name exists only behind the proxy.
    expect(await ask()).toMatchObject({ status: 502, text: expect.stringContaining("its name could not be resolved") })
    expect(proxy.targets.length).toBe(before)
  })

  test("a proxy that rejects or hangs is an error of the provider's form, and has a row", async () => {
    const running = await serve({ HTTPS_PROXY: address() })
    proxy.fault = 403
    const rejected = await ask()
    expect(rejected).toMatchObject({
      status: 502,
      text: expect.stringContaining("openai could not be reached (the proxy rejected the connection, 403)"),
    })
    proxy.fault = "silent"
    expect(await ask()).toMatchObject({
      status: 504,
      text: expect.stringContaining("the proxy did not answer in time"),
    })
    proxy.fault = undefined
    expect((await ask()).status).toBe(200)
    await running.stop()
    const rows = (await home.runJson(["usage", "requests", "--limit", "3"])) as { status_code: number }[]
    expect(rows.map(({ status_code }) => status_code)).toEqual([200, 504, 502])
  })

  test("doctor names the proxy and uses it", async () => {
    const { stdout } = await home.run(["doctor"], {
      HTTPS_PROXY: address(),
      NO_PROXY: "api.anthropic.com,generativelanguage.googleapis.com",
      NODE_EXTRA_CA_CERTS: join(home.home, "authorities.pem"),
    })
    expect(stdout).toContain(
      `Addresses with https:// are reached through http://127.0.0.1:${proxy.port}, except for api.anthropic.com`,
    )
    expect(stdout).toContain("openai answers")
    expect(stdout).not.toContain("swordfish")
  })

  test("an address that is no HTTP proxy is an error that does not show it", async () => {
    const { code, stderr } = await home.run(["usage"], { HTTPS_PROXY: "socks5://me:swordfish@proxy:1080" })
    expect(code).toBe(1)
    expect(stderr).toContain("HTTPS_PROXY (environment): expected the http:// or https:// address of a proxy")
    expect(stderr).toContain("upstream.proxy: none")
    expect(stderr).not.toContain("swordfish")
  })
})
