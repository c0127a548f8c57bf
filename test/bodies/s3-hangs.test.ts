import { readdirSync } from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { createServer, type Socket } from "node:net"
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest"
import { openBodyStore } from "../../src/bodies/index.ts"
import { createKeyClearing } from "../../src/bodies/s3/clear-keys.ts"
import { openBucket } from "../../src/bodies/s3/client.ts"
import { toFailure } from "../../src/bodies/s3/failure.ts"
import { answerHead, CALLER, makeCall, makeOptions } from "./_bodies.ts"

afterEach(() => void vi.useRealTimers())

/** Starts a server that accepts connections and never answers. */
async function startHanging() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}))
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { sockets, port: (server.address() as { port: number }).port }
}

describe("S3 that hangs", () => {
  test("[O8] delays a stop by some seconds at most: the bodies are safe on the disk, and a log line says that they wait", async () => {
    const { sockets, port } = await startHanging()
    const { options, logged } = makeOptions({ endpoint: `http://127.0.0.1:${port}` })
    const store = await openBodyStore(options)
    store.open(makeCall(), CALLER)!.finish(answerHead("text/plain"))
    await expect.poll(() => sockets.size).toBe(1)
    // Both sides use timers of this process, so that a busy machine delays them alike.
    const late = new Promise((resolve) => setTimeout(resolve, 20_000, "late"))
    expect(await Promise.race([store.drain(3_600_000), late])).toEqual({ waiting: 1 })
    await store.close()
    expect(logged.map(({ line }) => line)).toContain(
      "1 bodies wait for S3; those it does not take now are uploaded later",
    )
    expect(readdirSync(options.dir)).toHaveLength(1)
  })

  test("[O8] delays a stop by no more than the time that is left to it", async () => {
    const { sockets, port } = await startHanging()
    const { options } = makeOptions({ endpoint: `http://127.0.0.1:${port}` })
    const store = await openBodyStore(options)
    store.open(makeCall(), CALLER)!.finish(answerHead("text/plain"))
    await expect.poll(() => sockets.size).toBe(1)
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, "late"))
    expect(await Promise.race([store.drain(500), late])).toEqual({ waiting: 1 })
    await store.close()
    expect(readdirSync(options.dir)).toHaveLength(1)
  })

  test("frees the upload when nothing moves, long before the longest time of an attempt", async () => {
    const { sockets, port } = await startHanging()
    const settings = {
      bucket: "b",
      region: "r",
      endpoint: `http://127.0.0.1:${port}`,
      accessKeyId: "a",
      secretAccessKey: "s",
    }
    const bucket = await openBucket(settings, 3_600_000, { idleMs: 500 })
    onTestFinished(() => bucket.close())
    const failure = await bucket.put("key", Buffer.alloc(100_000)).catch((error: unknown) => toFailure(error))
    expect(failure).toMatchObject({ text: "S3 did not answer in time", isLasting: false })
    expect(sockets.size).toBe(1)
  })
})

describe("an answer of S3 that never ends", () => {
  /** Starts a server that sends an answer without end, and counts its bytes. */
  async function startEndless(status: number) {
    const sent = { bytes: 0 }
    const piece = Buffer.alloc(1024 * 1024, "<a>")
    const server = createHttpServer((request, response) => {
      request.resume()
      response.writeHead(status, { "Content-Type": "application/xml" })
      const send = () => {
        do sent.bytes += piece.length
        while (!response.destroyed && response.write(piece))
      }
      response.on("drain", send)
      send()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void server.closeAllConnections())
    onTestFinished(() => void server.close())
    const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    const settings = { bucket: "b", region: "r", endpoint, accessKeyId: "a", secretAccessKey: "s" }
    const bucket = await openBucket(settings, 3_600_000)
    onTestFinished(() => bucket.close())
    return { sent, bucket }
  }

  test.each([200, 500])("with status %i is cut off, so that it takes no memory", async (status) => {
    const { sent, bucket } = await startEndless(status)
    const failure = await bucket.put("key", Buffer.alloc(100)).catch((error: unknown) => toFailure(error))
    expect(failure).toMatchObject({ text: expect.stringMatching(/correct s3\.endpoint/), isOfObject: false })
    await expect(bucket.remove("key")).rejects.toThrow(/larger than 1048576 bytes/)
    // The sockets hold some megabytes on both sides.
    expect(sent.bytes).toBeLessThan(64 * 1024 * 1024)
  })

  test("as an object is cut off at a size that no object has", async () => {
    const { bucket } = await startEndless(200)
    await expect(bucket.get("key")).rejects.toThrow(/S3 does not return key: .*correct s3\.endpoint/)
  })
})

describe("a key whose object is lost", () => {
  const HOUR_MS = 3_600_000

  function open(clearKeys: (ids: readonly string[]) => Promise<readonly string[]>) {
    vi.useFakeTimers()
    const cleared: string[] = []
    const clearing = createKeyClearing(clearKeys, { onCleared: async (id) => void cleared.push(id), onIdle: () => {} })
    onTestFinished(() => clearing.close())
    clearing.add("one")
    return { clearing, cleared }
  }

  test("is removed from its row however long the database was away", async () => {
    let isAway = true
    const { clearing, cleared } = open(async (ids) => {
      if (isAway) throw new Error("no connection")
      return ids
    })
    await vi.advanceTimersByTimeAsync(24 * HOUR_MS)
    expect([clearing.size, cleared]).toEqual([1, []])
    isAway = false
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect([clearing.size, cleared]).toEqual([0, ["one"]])
  })

  test("is given up if a database that answers does not have its row", async () => {
    const { clearing } = open(async () => [])
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(clearing.size).toBe(1)
    await vi.advanceTimersByTimeAsync(HOUR_MS)
    expect(clearing.size).toBe(0)
  })
})
