import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createApp } from "../../src/server/app.ts"
import { launchBrowser, noBrowser } from "../support/browser.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const EVENTS = ['data: {"model":"m","choices":[]}\n\n', "data: [DONE]\n\n"]

const servers: Server[] = []
async function listen(server: Server): Promise<string> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.skipIf(noBrowser !== undefined)("[U15] a website calls the gateway from a browser", () => {
  let pipeline: Pipeline
  let browser: Browser
  let page: Page
  let gateway: string
  /** What the provider has received. */
  const methods: string[] = []

  beforeAll(async () => {
    const upstream = await listen(
      createServer((request, response) => {
        methods.push(String(request.method))
        request.resume().on("end", () => {
          // A provider's own permission for all websites must not reach those that the gateway does not know.
          response.writeHead(200, {
            "content-type": "text/event-stream",
            "access-control-allow-origin": "https://other.test",
          })
          for (const event of EVENTS) response.write(event)
          response.end()
        })
      }),
    )
    pipeline = await startPipeline({ upstream })
    const site = await listen(createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>")))
    const app = createApp(
      pipeline.gateway,
      { metrics: async () => "", check: async () => ({ error: undefined, warnings: [] }) },
      { host: "127.0.0.1", allowedHosts: [], corsOrigins: [site], metricsToken: undefined, metricsPublic: true },
    )
    gateway = await listen(createServer(app))
    browser = await launchBrowser()
    page = await browser.newPage()
    await page.goto(site)
  })
  afterAll(async () => {
    await browser?.close()
    await pipeline?.close()
    for (const server of servers) server.close()
  })

  /** Sends a streamed chat from the page, with the headers of the SDKs, and returns what its script sees. */
  const ask = (key: string) =>
    page.evaluate(
      async ([url, key]) => {
        const headers = { "Content-Type": "application/json", Authorization: "Bearer sk-1", "X-Stainless-Lang": "js" }
        const response = await fetch(`${url}/v1/chat/completions`, {
          method: "POST",
          headers: { ...headers, "X-Majordomo-Key": key!, "anthropic-version": "2023-06-01" },
          body: JSON.stringify({ model: "m", stream: true, stream_options: { include_usage: true } }),
        })
        const { status } = response
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
        let text = ""
        for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value
        return { status, text, id: response.headers.get("x-majordomo-request-id") }
      },
      [gateway, key],
    )

  test("and reads a stream to its end, with the id of its row", async () => {
    const { status, text, id } = await ask(KEY)
    expect(status).toBe(200)
    expect(text).toBe(EVENTS.join(""))
    expect(id).toBe(pipeline.records.at(-1)!.id)
    // The preflight request is the gateway's own affair.
    expect(methods).toEqual(["POST"])
  })

  test("and reads the gateway's errors too", async () => {
    const { status, text } = await ask("mdm_sk_unknown_0123456789abcdefghijk")
    expect(status).toBe(401)
    expect(text).toContain("invalid_gateway_key")
  })

  test.each(["/metrics", "/readyz"])("but not what is not a provider's: %s", async (path) => {
    const outcome = page.evaluate(
      (url) =>
        fetch(url).then(
          ({ status }) => status,
          (error) => error.name,
        ),
      gateway + path,
    )
    expect(await outcome).toBe("TypeError")
  })
})
