import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { fetchList } from "../../src/pricing/fetch-list.ts"

let answer: (request: IncomingMessage, response: ServerResponse) => void
let paths: (string | undefined)[]
let url: string
const server = createServer((request, response) => {
  paths.push(request.url)
  answer(request, response)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/list.json`
})
beforeEach(() => {
  paths = []
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

function fetchIt(options: Partial<Parameters<typeof fetchList>[1]> = {}) {
  return fetchList(url, { held: undefined, signal: new AbortController().signal, ...options })
}

describe("fetching a price list", () => {
  test("returns the JSON body, decompressed, with its ETag", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip", etag: '"7"' }).end(gzipSync('{"a":"ä"}'))
    }
    expect(await fetchIt()).toEqual({ status: "updated", body: { a: "ä" }, etag: '"7"' })
  })

  test("ends at its time limit if the server never answers", async () => {
    answer = () => {}
    expect(await fetchIt({ timeoutMs: 50 })).toEqual({ status: "failed", reason: "it did not answer within 0.05 s" })
  })

  test("ends at its time limit if the body never ends", async () => {
    answer = (_, response) => {
      response.writeHead(200).write("{")
    }
    expect(await fetchIt({ timeoutMs: 50 })).toEqual({ status: "failed", reason: "it did not answer within 0.05 s" })
  })

  test("does not follow a redirect", async () => {
    answer = (_, response) => response.writeHead(302, { location: `${url}/other` }).end()

    expect(await fetchIt()).toEqual({ status: "failed", reason: "it answered 302, and redirects are not followed" })
    expect(paths).toEqual(["/list.json"])
  })

  test("stops a body that is larger than the limit after decompression", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, " "))
    answer = (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb)

    const before = process.memoryUsage().arrayBuffers
    const result = await fetchIt({ maxBytes: 1_000_000 })

    expect(bomb.length).toBeLessThan(100_000)
    expect(result).toEqual({ status: "failed", reason: "its answer is larger than 1000000 bytes" })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024)
  })

  test.each([
    ["nested lists", () => "[".repeat(600_000) + "]".repeat(600_000)],
    ["empty objects", () => `[${"{},".repeat(300_000)}{}]`],
    ["members", () => `{${Array.from({ length: 600_000 }, (_, i) => `"${i}":0`).join()}}`],
  ])("does not parse a body of so many %s that it would stop the event loop for long", async (_, create) => {
    answer = (_request, response) => response.writeHead(200).end(create())
    expect(await fetchIt()).toEqual({ status: "failed", reason: "its answer has more than 500000 values" })
  })

  test("does not wait for the body of an error or a redirect, which may never end", async () => {
    const piece = Buffer.alloc(1024 * 1024)
    for (const status of [302, 404]) {
      answer = (_request, response) => {
        response.writeHead(status, { location: url })
        const send = () => {
          while (!response.destroyed && response.write(piece));
        }
        response.on("drain", send)
        send()
      }
      expect(await fetchIt()).toMatchObject({ reason: expect.stringContaining(`it answered ${status}`) })
    }
  })

  test("fails without a message of the server if a compressed body is damaged", async () => {
    answer = (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("secret")
    expect(await fetchIt()).toMatchObject({ status: "failed", reason: expect.stringMatching(/^no connection \(/) })
  })

  test("treats 304 as a failure if no list is held", async () => {
    answer = (_, response) => response.writeHead(304).end()
    expect(await fetchIt()).toEqual({ status: "failed", reason: "it answered 304" })
    expect(await fetchIt({ held: { etag: '"7"' } })).toEqual({ status: "unchanged" })
  })
})
