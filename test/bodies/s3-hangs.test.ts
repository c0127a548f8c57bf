import { createServer, type Socket } from "node:net"
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest"
import { createKeyClearing } from "../../src/bodies/s3/clear-keys.ts"
import { openBucket } from "../../src/bodies/s3/client.ts"
import { toFailure } from "../../src/bodies/s3/failure.ts"

afterEach(() => void vi.useRealTimers())

describe("S3 that hangs", () => {
  test("frees the upload when nothing moves, long before the longest time of an attempt", async () => {
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
    const { port } = server.address() as { port: number }
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
