import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, test } from "vitest"
import { createApp } from "../../src/server/app.ts"
import { connectRaw } from "../support/raw.ts"

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

const OPEN = { host: "127.0.0.1", allowedHosts: [], corsOrigins: [], metricsToken: undefined }

/** Starts the app before a gateway that answers everything with a provider's headers. Returns a function that sends one request. */
async function start(
  policy: Partial<Parameters<typeof createApp>[2]>,
  more: Partial<Parameters<typeof createApp>[1]> = {},
) {
  const gateway = {
    handle: (_request: unknown, response: import("node:http").ServerResponse) =>
      void response
        .writeHead(200, "OK", ["X-Majordomo-Cost", "1", "access-control-allow-origin", "https://provider.test"])
        .end("proxied"),
  } as unknown as Parameters<typeof createApp>[0]
  const probe = {
    metrics: async () => "a_metric 1\n",
    check: async () => ({ error: undefined, warnings: [] }),
    ...more,
  }
  const server = createServer(createApp(gateway, probe, { ...OPEN, ...policy }))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return async (path: string, headers: string, method = "GET", connection = "close") => {
    const client = await connectRaw((server.address() as AddressInfo).port)
    client.send(`${method} ${path} HTTP/1.1\r\nConnection: ${connection}\r\n${headers}\r\n`)
    return client.closed()
  }
}
const statusOf = (answer: string) => Number(answer.slice(9, 12))

describe("[S11] the Host of a request", () => {
  test.each(["127.0.0.1:7680", "localhost", "LOCALHOST.:7680", "a.localhost:1", "[::1]:7680", "10.0.0.7"])(
    "%s is always accepted",
    async (host) => {
      const send = await start({ allowedHosts: ["gateway.example.com"] })
      for (const path of ["/metrics", "/readyz", "/v1/models"])
        expect(statusOf(await send(path, `Host: ${host}\r\n`))).toBe(200)
    },
  )

  test.each([
    "evil.example",
    "evil.example:7680",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "",
    "[evil]",
    "a:b:c",
  ])(
    "%j is rejected on the routes without a key of a loopback gateway, and on all routes with a list",
    async (host) => {
      const open = await start({})
      expect(statusOf(await open("/metrics", `Host: ${host}\r\n`))).toBe(403)
      expect(statusOf(await open("/v1/models", `Host: ${host}\r\n`))).toBe(200)
      const listed = await start({ host: "0.0.0.0", allowedHosts: ["gateway.example.com", "*.corp.example"] })
      const answer = await listed("/v1/models", `Host: ${host}\r\n`)
      expect(statusOf(answer)).toBe(403)
      expect(answer).toMatch(/server\.allowed_hosts/)
    },
  )

  test("a listed name, and a name below a wildcard, are accepted; without a list, a public gateway accepts all", async () => {
    const listed = await start({ allowedHosts: ["Gateway.example.com", "*.corp.example"] })
    expect(statusOf(await listed("/v1/models", "Host: gateway.EXAMPLE.com:443\r\n"))).toBe(200)
    expect(statusOf(await listed("/readyz", "Host: llm.corp.example\r\n"))).toBe(200)
    expect(statusOf(await listed("/v1/models", "Host: corp.example.evil\r\n"))).toBe(403)
    const open = await start({ host: "0.0.0.0" })
    expect(statusOf(await open("/readyz", "Host: any.example\r\n"))).toBe(200)
  })
})

describe("[S11] /metrics with server.metrics_token", () => {
  test("needs the token as a bearer token", async () => {
    const send = await start({ metricsToken: "scrape-me" })
    const host = "Host: localhost\r\n"
    for (const wrong of ["", "Authorization: Bearer scrape-me2\r\n", "Authorization: scrape-me\r\n"]) {
      const answer = await send("/metrics", host + wrong)
      expect(statusOf(answer)).toBe(401)
      expect(answer).not.toContain("a_metric")
    }
    expect(await send("/metrics", `${host}Authorization: Bearer scrape-me\r\n`)).toContain("a_metric 1")
    expect(statusOf(await send("/health", host))).toBe(200)
  })
})

describe("/metrics of a gateway that listens on more than the loopback interface", () => {
  const host = "Host: 10.0.0.7\r\n"

  test("needs an admin token, or that of server.metrics_token", async () => {
    const isAdmitted = async (request: Request) => request.headers.get("authorization") === "Bearer an-admin-token"
    const send = await start({ host: "0.0.0.0", metricsToken: "scrape-me" }, { isAdmitted })
    for (const wrong of ["", "Authorization: Bearer other\r\n"]) {
      expect(statusOf(await send("/metrics", host + wrong))).toBe(401)
    }
    for (const right of ["an-admin-token", "scrape-me"]) {
      expect(await send("/metrics", `${host}Authorization: Bearer ${right}\r\n`)).toContain("a_metric 1")
    }
    const withoutApi = await start({ host: "0.0.0.0" })
    expect(statusOf(await withoutApi("/metrics", host))).toBe(401)
  })

  test("needs no token with metrics.public", async () => {
    const send = await start({ host: "0.0.0.0", metricsPublic: true })
    expect(await send("/metrics", host)).toContain("a_metric 1")
  })
})

describe("[U15] server.cors_origins", () => {
  const site = "Host: localhost\r\nOrigin: https://app.example.com\r\n"
  const preflight = `${site}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-majordomo-key,content-type\r\n`

  test("answers the preflight request of a listed origin, and adds its headers instead of the provider's", async () => {
    const send = await start({ corsOrigins: ["https://app.example.com"] })
    const allowed = await send("/v1/chat/completions", preflight, "OPTIONS")
    expect(statusOf(allowed)).toBe(204)
    expect(allowed).toContain("Access-Control-Allow-Origin: https://app.example.com\r\n")
    expect(allowed).toContain("Access-Control-Allow-Headers: x-majordomo-key,content-type\r\n")
    expect(allowed).toContain("Access-Control-Allow-Methods: POST\r\n")
    const answer = await send("/v1/chat/completions", site)
    expect(answer.match(/access-control-allow-origin: .*/gi)).toEqual([
      "Access-Control-Allow-Origin: https://app.example.com",
    ])
    expect(answer).toContain("X-Majordomo-Cost: 1\r\n")
    expect(answer).toMatch(/Access-Control-Expose-Headers: \*/)
    expect(answer).not.toMatch(/allow-credentials/i)
  })

  test("leaves requests of other origins and without an origin as they are", async () => {
    const send = await start({ corsOrigins: ["https://app.example.com"] })
    for (const headers of ["Host: localhost\r\n", preflight.replace("app.", "evil.")]) {
      const answer = await send("/v1/chat/completions", headers, "OPTIONS")
      expect(answer).toContain("access-control-allow-origin: https://provider.test\r\n")
      expect(answer).not.toContain("Access-Control-Allow-Headers")
    }
  })
})

describe("[S13] a request with a body that nobody reads does not hold its connection", () => {
  const LENGTH = "Host: localhost\r\nContent-Length: 1000\r\n"
  const PREFLIGHT = `${LENGTH}Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n`
  test.each([
    ["POST", "/health", LENGTH, 404],
    ["GET", "/metrics", LENGTH, 200],
    ["GET", "/readyz", "Host: localhost\r\nTransfer-Encoding: chunked\r\n", 200],
    ["OPTIONS", "/v1/models", PREFLIGHT, 204],
  ])("%s %s", async (method, path, headers, status) => {
    const send = await start({ corsOrigins: ["https://app.example"] })
    const answer = await send(path, headers, method, "keep-alive")
    expect(statusOf(answer)).toBe(status)
    expect(answer).toMatch(/\r\nConnection: close\r\n/i)
  })
})
