import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { parseLlmPrices } from "../../src/pricing/llm-prices.ts"
import { createPriceSource } from "../../src/pricing/price-source.ts"
import { until } from "../support/until.ts"
import { bodyOf, listedRow } from "./_list.ts"

const NOW = Date.parse("2026-11-20T12:00:00Z")
const GOOD = JSON.stringify(bodyOf([listedRow("openai", "gpt-test", 1, 4, null)]))

let answer: (request: IncomingMessage, response: ServerResponse) => void
let url: string
let requests: IncomingMessage[]
let cacheFile: string
let said: string[]
let close: () => void

beforeEach(async () => {
  requests = []
  said = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/list.json?key=secret`
  cacheFile = join(await mkdtemp(join(tmpdir(), "prices-")), "deep", "list.json")
  close = () => {
    server.closeAllConnections()
    server.close()
  }
})
afterEach(() => close())

interface Changes {
  readonly at?: string
  readonly cacheFile?: string
  readonly refreshIntervalMs?: number
  readonly timeoutMs?: number
  readonly now?: () => number
}

function create({ at = url, ...more }: Changes = {}) {
  return createPriceSource({
    name: "llm-prices.com",
    url: at,
    refreshIntervalMs: 3_600_000,
    cacheFile,
    parse: (body) => parseLlmPrices(body),
    onChange: () => {},
    onRefreshed: async () => {},
    now: () => NOW,
    log: (line) => said.push(line),
    ...more,
  })
}

describe("the fetched list", () => {
  test("is used, and saved to disk with access for its owner only", async () => {
    answer = (_, response) => response.setHeader("etag", '"1"').end(GOOD)
    const source = create()

    expect(await source.refresh()).toEqual({ status: "updated", day: "2026-11-01", models: 26 })

    expect(source.current()?.find("openai", "gpt-test", NOW)?.base.input).toBe("1")
    expect((await stat(cacheFile)).mode & 0o777).toBe(0o600)
    const later = create()
    await later.load()
    expect(later.current()?.find("openai", "gpt-test", NOW)?.base.input).toBe("1")
  })

  test("has been fetched when the server last had it, also for a process that reads only the copy on disk", async () => {
    answer = (request, response) => {
      if (request.headers["if-none-match"] === '"1"') response.writeHead(304).end()
      else response.setHeader("etag", '"1"').end(GOOD)
    }
    let now = NOW
    const source = create({ now: () => now })
    expect(source.check()).toEqual({ checkedAt: undefined, openedAt: NOW })
    await source.refresh()
    now = NOW + 3_600_000
    expect(await source.refresh()).toMatchObject({ status: "unchanged" })
    expect(source.check()).toEqual({ checkedAt: now, openedAt: NOW })

    const command = create({ now: () => now + 60_000 })
    await command.load()
    expect(command.check()).toEqual({ checkedAt: now, openedAt: now + 60_000 })
    answer = (_, response) => response.writeHead(500).end()
    expect(await command.refresh()).toMatchObject({ status: "failed" })
    expect(command.check()?.checkedAt).toBe(now)
  })

  test("is not transferred again if it has not changed", async () => {
    answer = (request, response) => {
      if (request.headers["if-none-match"] === '"1"') response.writeHead(304).end()
      else response.setHeader("etag", '"1"').end(GOOD)
    }
    const source = create()
    await source.refresh()

    expect(await source.refresh()).toEqual({ status: "unchanged", day: "2026-11-01", models: 26 })
    const later = create()
    await later.load()
    expect((await later.refresh()).status).toBe("unchanged")
  })

  test.each([
    ["an error", (response: ServerResponse) => response.writeHead(404).end("gone"), "it answered 404"],
    ["no JSON", (response: ServerResponse) => response.end("<html>"), "its answer is not JSON"],
    ["no list", (response: ServerResponse) => response.end("{}"), "expected an object"],
    [
      "an empty list",
      (response: ServerResponse) => response.end('{"updated_at":"2026-11-02","prices":[]}'),
      "at least 20",
    ],
  ])("is not replaced by %s", async (_, fail, why) => {
    answer = (_request, response) => response.end(GOOD)
    const source = create()
    await source.refresh()
    const before = await readFile(cacheFile, "utf8")
    answer = (_request, response) => fail(response)

    const result = await source.refresh()

    expect(result).toMatchObject({ status: "failed", reason: expect.stringContaining(why) })
    expect(source.current()?.find("openai", "gpt-test", NOW)?.base.input).toBe("1")
    expect(await readFile(cacheFile, "utf8")).toBe(before)
  })

  test("fails without its address in the message if it cannot be reached", async () => {
    close()
    const result = await create().refresh()

    expect(result).toMatchObject({ status: "failed", reason: expect.stringContaining("ECONNREFUSED") })
    expect(JSON.stringify(result)).not.toMatch(/secret|127\.0\.0\.1/)
  })

  test("is fetched once by refreshes at the same time", async () => {
    answer = (_, response) => response.end(GOOD)
    const source = create()

    const results = await Promise.all([source.refresh(), source.refresh()])

    expect(results.map(({ status }) => status)).toEqual(["updated", "updated"])
    expect(requests).toHaveLength(1)
  })

  test("is fetched in the background at the start, and a failure is logged", async () => {
    answer = (_, response) => response.writeHead(404).end()
    const source = create()
    source.start()
    expect(requests).toHaveLength(0)

    await until(() => expect(said).toEqual([expect.stringContaining("it answered 404")]))
    source.close()
  })

  test("is fetched again after each interval", async () => {
    answer = (_, response) => response.end(GOOD)
    const source = create({ refreshIntervalMs: 20 })
    source.start()

    await until(() => expect(requests.length).toBeGreaterThanOrEqual(3))
    source.close()
  })

  test("is fetched again after a server that never answered", async () => {
    answer = () => {}
    const source = create({ timeoutMs: 200 })
    expect(await source.refresh()).toEqual({ status: "failed", reason: "it did not answer within 0.2 s" })
    answer = (_, response) => response.end(GOOD)

    await until(async () => expect((await source.refresh()).status).toBe("updated"))
  })

  test("is aborted without a message when the price book closes, even if the server hangs", async () => {
    answer = () => {}
    const source = create()
    const result = source.refresh()
    await until(() => expect(requests).toHaveLength(1))
    source.close()

    expect((await result).status).toBe("failed")
    expect(said).toEqual([])
  })

  test("[SUP-12] is never fetched if there is no address", async () => {
    const source = create({ at: "" })
    source.start()

    expect(await source.refresh()).toEqual({ status: "off" })
    expect(requests).toHaveLength(0)
  })
})

describe("the copy on disk", () => {
  test("[SUP-14] is not used if it is damaged, which is logged", async () => {
    answer = (_, response) => response.end(GOOD)
    await create().refresh()
    await writeFile(cacheFile, "{")
    const source = create()
    await source.load()

    expect(source.current()).toBeUndefined()
    expect(said).toEqual([
      `the price list in ${cacheFile} cannot be used; it is replaced when the list is fetched again`,
    ])
  })

  test("is not used if it is from another address", async () => {
    answer = (_, response) => response.end(GOOD)
    await create().refresh()
    const source = create({ at: `${url}&other` })
    await source.load()

    expect(source.current()).toBeUndefined()
  })

  test("causes only a line in the log if it cannot be written", async () => {
    answer = (_, response) => response.end(GOOD)
    const source = create({ cacheFile: "/dev/null/list.json" })

    expect((await source.refresh()).status).toBe("updated")
    expect(said).toEqual([expect.stringContaining("could not be saved to /dev/null/list.json")])
  })
})
