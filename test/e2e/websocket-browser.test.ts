import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { WebSocket } from "ws"
import { launchBrowser, noBrowser } from "../support/browser.ts"
import {
  expectOneSession,
  openSessionHouse,
  REALTIME_COST,
  REALTIME_USAGE,
  type SessionHouse,
} from "./_websocket-clients.ts"

interface Outcome {
  readonly protocol: string
  readonly types: readonly string[]
  readonly code: number
}

/** Asks for one response, and closes the socket. Runs in a page as well as here. */
function converse(socket: WebSocket | globalThis.WebSocket): Promise<Outcome> {
  const types: string[] = []
  return new Promise((resolve) => {
    const browserSocket = socket as globalThis.WebSocket
    browserSocket.onmessage = ({ data }) => {
      const { type } = JSON.parse(String(data)) as { type: string }
      types.push(type)
      if (type === "session.created") browserSocket.send(JSON.stringify({ type: "response.create" }))
      if (type === "response.done") browserSocket.close(1000, "enough")
    }
    browserSocket.onclose = ({ code }) => resolve({ protocol: browserSocket.protocol, types, code })
  })
}

describe("a provider that is reached over TLS", () => {
  let house: SessionHouse
  beforeAll(async () => {
    house = await openSessionHouse("openai", { usesTls: true })
    house.provider.always({ usage: REALTIME_USAGE })
  })
  afterAll(() => house?.close())

  async function expectMeteredSession({ protocol, types, code }: Outcome): Promise<void> {
    expect([protocol, types[0], types.at(-1), code]).toEqual(["realtime", "session.created", "response.done", 1000])
    const { headers, url, closed } = house.provider.sessions.at(-1)!
    expect(await closed).toBe(1000)
    expect(JSON.stringify([headers, url])).not.toContain(house.key)
    const rows = await house.nextRows(1)
    expect(rows).toMatchObject([
      { model: "gpt-realtime", total_cost: REALTIME_COST, cost_status: "exact", outcome: "complete" },
    ])
    expect(JSON.stringify(rows)).not.toContain(house.key)
    expectOneSession(rows)
  }

  test("a session of the package ws is metered", async () => {
    const url = `ws://127.0.0.1:${house.gateway.port}/v1/realtime?model=gpt-realtime`
    await expectMeteredSession(
      await converse(new WebSocket(url, "realtime", { headers: { authorization: `Bearer ${house.key}` } })),
    )
  })

  describe.skipIf(noBrowser !== undefined)("and a page in a browser", () => {
    let site: Server
    let browser: Browser
    beforeAll(async () => {
      site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<p>"))
      await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve))
      browser = await launchBrowser()
    })
    afterAll(async () => {
      await browser?.close()
      site?.close()
    })

    test("the page's session is metered, with the gateway's key in the second subprotocol", async () => {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}`)
      const outcome = await page.evaluate(
        `(${converse})(new WebSocket("ws://127.0.0.1:${house.gateway.port}/v1/realtime?model=gpt-realtime",
          ["realtime", "openai-insecure-api-key.${house.key}"]))`,
      )
      await expectMeteredSession(outcome as Outcome)
    })
  })
})

describe("a key in the query of a handshake", () => {
  test.each([
    ["gemini", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key="],
    ["azure", "/openai/realtime?api-version=2025-04-01-preview&deployment=voice&api-key="],
  ] as const)("%s: it is recognized, and stands neither at the provider nor in the row", async (name, path) => {
    const house = await openSessionHouse(name)
    try {
      const opened = new WebSocket(`ws://127.0.0.1:${house.gateway.port}${path}${house.key}`)
      await once(opened, "open")
      const session = await house.provider.nextSession()
      if (name === "gemini") {
        opened.send(JSON.stringify({ setup: { model: "models/gemini-live-2.5-flash-preview" } }))
        opened.send(JSON.stringify({ clientContent: { turns: [{ parts: [{ text: "Hi" }] }], turnComplete: true } }))
      } else opened.send(JSON.stringify({ type: "response.create" }))
      const rows = await house.nextRows(1)
      opened.close()
      expect(rows).toMatchObject([{ provider: name, status_code: 200 }])
      expect(JSON.stringify([rows, session.url, session.headers])).not.toContain(house.key)
    } finally {
      await house.close()
    }
  })
})
