import { readFileSync } from "node:fs"
import { get as getHttp } from "node:http"
import { get as getHttps } from "node:https"
import { text } from "node:stream/consumers"
import { describe, expect, onTestFinished, test } from "vitest"
import { openBucket } from "../../src/bodies/s3/client.ts"
import { toFailure } from "../../src/bodies/s3/failure.ts"
import { createProxyAgents } from "../../src/kit/proxy/agent.ts"
import { describeProxies, findProxy, type Proxies } from "../../src/kit/proxy/proxies.ts"
import { openTunnel } from "../../src/kit/proxy/tunnel.ts"
import { fetchList } from "../../src/pricing/fetch-list.ts"
import { type ConnectProxy, startConnectProxy } from "../support/connect-proxy.ts"
import { startFakeProvider } from "../support/fake-provider.ts"
import { ACCESS_KEY, BUCKET, REGION, SECRET_KEY, startS3 } from "../support/s3.ts"

const read = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")
const PROXIES: Proxies = { https: "http://secure:1/", http: "http://plain:2/", except: [] }

async function openProxy(options: Parameters<typeof startConnectProxy>[0] = {}): Promise<ConnectProxy> {
  const proxy = await startConnectProxy(options)
  onTestFinished(() => proxy.close())
  return proxy
}

function through(proxy: ConnectProxy, credentials = ""): Proxies {
  const url = `http://${credentials}127.0.0.1:${proxy.port}`
  return { https: url, http: url, except: [] }
}

describe("the proxy of an address", () => {
  test("is the one of its scheme", () => {
    expect(findProxy(PROXIES, new URL("https://a.example/"))?.host).toBe("secure:1")
    expect(findProxy(PROXIES, new URL("http://a.example/"))?.host).toBe("plain:2")
    expect(findProxy({ ...PROXIES, https: undefined }, new URL("https://a.example/"))).toBeUndefined()
    expect(findProxy(undefined, new URL("https://a.example/"))).toBeUndefined()
  })

  test.each(["localhost", "api.localhost", "LOCALHOST.", "127.0.0.1", "127.8.9.10", "[::1]"])(
    "is never used for this machine: %s",
    (host) => expect(findProxy(PROXIES, new URL(`http://${host}:8000/`))).toBeUndefined(),
  )

  const cases: readonly (readonly [entry: string, url: string, direct: boolean])[] = [
    ["*", "https://a.example/", true],
    ["a.example", "https://a.example/", true],
    ["A.Example", "https://a.example./", true],
    ["a.example", "https://b.a.example/", true],
    ["a.example", "https://ba.example/", false],
    [".a.example", "https://b.a.example/", true],
    ["*.a.example", "https://b.a.example/", true],
    ["a.example:443", "https://a.example/", true],
    ["a.example:443", "http://a.example/", false],
    ["a.example:8443", "https://a.example:8443/", true],
    ["a.example:8443", "https://a.example/", false],
    ["10.0.0.7", "http://10.0.0.7:8000/", true],
    ["10.0.0.0/8", "http://10.9.9.9/", true],
    ["10.0.0.0/8", "http://11.9.9.9/", false],
    ["10.0.0.0/99", "http://10.9.9.9/", false],
    ["10.0.0.0/8", "http://10.example/", false],
    ["fd00::/8", "http://[fd12::1]/", true],
    ["fd12::1", "http://[fd12::1]/", true],
    ["[fd12::1]:80", "http://[fd12::1]/", true],
    ["[fd12::1]:81", "http://[fd12::1]/", false],
    [".", "https://a.example/", false],
  ]
  test.each(cases)("with the exception %s, %s is reached directly: %s", (entry, url, direct) => {
    expect(findProxy({ ...PROXIES, except: ["other.example", entry] }, new URL(url)) === undefined).toBe(direct)
  })

  test("is described without its credentials", () => {
    const https = "https://me:swordfish@proxy.corp:3128/"
    expect(describeProxies({ https, http: undefined, except: [".corp", "10.0.0.0/8"] })).toEqual([
      "Addresses with https:// are reached through https://proxy.corp:3128, except for .corp, 10.0.0.0/8",
    ])
    expect(describeProxies(undefined)).toEqual([])
  })
})

describe("through a proxy", () => {
  test("node's agents reach http and https, with TLS verified end to end, and reuse a connection", async () => {
    const proxy = await openProxy({ credentials: "me:a b" })
    const plain = await startFakeProvider()
    const secure = await startFakeProvider({ tls: { key: read("proxied.key"), cert: read("proxied.crt") } })
    const agents = createProxyAgents(through(proxy, "me:a%20b@"), { maxSockets: 1, timeoutMs: 60_000 })
    onTestFinished(async () => {
      for (const agent of Object.values(agents)) agent.destroy()
      await Promise.all([plain.close(), secure.close()])
    })
    const fetchPath = (url: string, ca: string) =>
      new Promise<number | string>((resolve) => {
        const onError = (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)
        const request = url.startsWith("https:")
          ? getHttps(url, { agent: agents.httpsAgent, ca, timeout: 60_000 })
          : getHttp(url, { agent: agents.httpAgent })
        request.once("error", onError).once("response", async (response) => {
          await text(response)
          resolve(response.statusCode!)
        })
      })
    const own = read("proxied.crt")
    expect(await fetchPath(`http://plain.test:${plain.port}/v1/models`, own)).toBe(200)
    expect(await fetchPath(`https://provider.test:${secure.port}/v1/models`, own)).toBe(200)
    expect(await fetchPath(`https://provider.test:${secure.port}/v1/models`, own)).toBe(200)
    expect(await fetchPath(`https://wrong.test:${secure.port}/v1/models`, own)).toBe("ERR_TLS_CERT_ALTNAME_INVALID")
    expect(await fetchPath(`https://provider.test:${secure.port}/v1/models`, read("authority.crt"))).toBe(
      "DEPTH_ZERO_SELF_SIGNED_CERT",
    )
    const port = secure.port
    expect(proxy.targets.slice(0, 2)).toEqual([`plain.test:${plain.port}`, `provider.test:${port}`])
    expect(secure.exchanges.map(({ connection }) => connection)).toEqual([0, 0])
  })

  test("S3 is reached, and a proxy that rejects is named without its address", async () => {
    const proxy = await openProxy()
    const s3 = await startS3()
    const settings = {
      bucket: BUCKET,
      region: REGION,
      endpoint: s3.endpoint.replace("127.0.0.1", "10.1.2.3"),
      accessKeyId: ACCESS_KEY,
      secretAccessKey: SECRET_KEY,
      proxies: through(proxy),
    }
    const bucket = await openBucket(settings, 60_000)
    onTestFinished(async () => {
      bucket.close()
      await s3.close()
    })
    await bucket.put("a/key", Buffer.from("body"))
    expect(await bucket.get("a/key")).toEqual(Buffer.from("body"))
    expect(proxy.targets[0]).toBe(new URL(settings.endpoint).host)

    proxy.fault = 403
    const other = await openBucket({ ...settings, endpoint: settings.endpoint.replace("10.1.2.3", "10.1.2.4") }, 60_000)
    onTestFinished(() => other.close())
    const failure = await other.put("key", Buffer.from("body")).catch((error: unknown) => toFailure(error))
    expect(failure).toMatchObject({ text: "S3 could not be reached (the proxy rejected the connection, 403)" })
  })

  test("a price list is fetched, and a failure names neither address nor credentials", async () => {
    const proxy = await openProxy({ credentials: "me:swordfish" })
    const lists = await startFakeProvider()
    onTestFinished(() => lists.close())
    const fetchIt = (proxies: Proxies) =>
      fetchList(`http://lists.test:${lists.port}/v1/models`, {
        held: undefined,
        signal: new AbortController().signal,
        proxies,
      })
    expect(await fetchIt(through(proxy, "me:swordfish@"))).toMatchObject({ status: "updated" })
    expect(await fetchIt(through(proxy, "me:wrong@"))).toEqual({
      status: "failed",
      reason: "no connection (the proxy requires other credentials, 407)",
    })
    expect(proxy.targets[0]).toBe(`lists.test:${lists.port}`)
  })

  test("a connection ends with one error: silence, a refusal, and a proxy that is not there", async () => {
    const proxy = await openProxy()
    const open = (port: number, timeoutMs: number) =>
      new Promise((resolve) => {
        const to = { proxy: new URL(`http://me:swordfish@127.0.0.1:${port}`), host: "fd12::1", port: "443", timeoutMs }
        openTunnel(to, (error) => resolve(error?.message))
      })
    proxy.fault = "silent"
    expect(await open(proxy.port, 200)).toBe("the proxy did not answer in time")
    proxy.fault = 502
    expect(await open(proxy.port, 60_000)).toBe("the proxy rejected the connection, 502")
    expect(proxy.targets).toContain("[fd12::1]:443")
    await proxy.close()
    expect(await open(proxy.port, 60_000)).toBe("no connection to the proxy, ECONNREFUSED")
  })
})
