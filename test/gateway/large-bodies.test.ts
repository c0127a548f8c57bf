import { randomBytes } from "node:crypto"
import { EventEmitter } from "node:events"
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { LogRecord } from "../../src/core/call.ts"
import { readBody } from "../../src/gateway/read-body.ts"
import { createSpillDirectory, type SpillDirectory } from "../../src/kit/spill-file.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

const directory = mkdtempSync(join(tmpdir(), "mdm-large-"))
const settings = { maxBodyBytes: 20_000_000, readTimeoutMs: 20_000 }
let far: FakeProvider
let gateway: Pipeline
let opened = 0
const counted = (shelf: SpillDirectory): SpillDirectory => ({
  open: () => {
    opened++
    return shelf.open()
  },
})
beforeAll(async () => {
  far = await startFakeProvider()
  gateway = await startPipeline({
    upstream: far.origin,
    settings,
    deps: { spill: counted(createSpillDirectory(directory)) },
  })
})
afterEach(() => {
  far.reset()
  opened = 0
})
afterAll(async () => {
  await gateway.close()
  await far.close()
  rmSync(directory, { recursive: true })
})

type Body = Uint8Array<ArrayBuffer> | ReadableStream | FormData

const words = "what did our calls cost, and who spent it? "
const prompt = words.repeat(100_000)
const chat = (extra: object, text = prompt) =>
  Buffer.from(JSON.stringify({ messages: [{ role: "user", content: text }], model: "gpt-4o-mini", ...extra }))

function send(body: Body, headers: Record<string, string> = {}, to = gateway, path = "/v1/chat/completions") {
  return fetch(`${to.origin}${path}`, {
    method: "POST",
    headers: { "x-majordomo-key": KEY, "content-type": "application/json", ...headers },
    body,
    duplex: "half",
  } as RequestInit)
}

/** Of files that this process holds open in the directory, whether they have a name or not. */
function filesOpen(): number {
  if (process.platform !== "linux") return 0
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
    } catch {
      return false
    }
  }).length
}

async function expectNothingLeft(): Promise<void> {
  expect(readdirSync(directory)).toEqual([])
  await expect.poll(filesOpen).toBe(0)
}

describe("a body that is too large to be held", () => {
  test.each([
    ["with its length", (body: Buffer): Body => new Uint8Array(body)],
    [
      "chunked",
      (body: Buffer): Body =>
        new ReadableStream({
          start(controller) {
            for (let at = 0; at < body.length; at += 70_001) controller.enqueue(body.subarray(at, at + 70_001))
            controller.close()
          },
        }),
    ],
  ])("that comes %s reaches the provider byte for byte, with its length, and its row is exact", async (_, toInit) => {
    const body = chat({})
    const response = await send(toInit(body))
    expect(response.status).toBe(200)
    const answer = (await response.json()) as { usage: { prompt_tokens: number } }
    const [exchange] = far.exchanges
    expect(exchange!.body.equals(body)).toBe(true)
    expect(exchange!.headers["content-length"]).toBe(String(body.length))
    expect(exchange!.headers["transfer-encoding"]).toBeUndefined()
    const record = await gateway.nextRecord()
    expect(record).toMatchObject({ requested_model: "gpt-4o-mini", usage_source: "reported", status_code: 200 })
    expect(record.input_tokens).toBe(answer.usage.prompt_tokens)
    expect(opened).toBe(1)
    await expectNothingLeft()
  })

  test("is asked for its usage by an insertion, every other byte stays, and again without it where that is refused", async () => {
    const body = chat({ stream: true, user: "\u00e9" })
    expect(await (await send(body)).text()).not.toContain('"usage":{')
    const [asked] = far.exchanges
    const at = body.indexOf('"stream":true') + 13
    const inserted = Buffer.from(',"stream_options":{"include_usage":true}')
    const changed = Buffer.concat([body.subarray(0, at), inserted, body.subarray(at)])
    expect(asked!.body.equals(changed)).toBe(true)
    expect(asked!.headers["content-length"]).toBe(String(changed.length))
    expect(await gateway.nextRecord()).toMatchObject({ usage_source: "reported", input_tokens: asked!.tokens.input })

    far.reset()
    far.always({ refuseIncludeUsage: true })
    expect((await send(body)).status).toBe(200)
    expect(far.exchanges.map((exchange) => exchange.body.equals(body))).toEqual([false, true])
    await gateway.nextRecord()
    await expectNothingLeft()
  })

  test("is estimated from its texts when its answer is cut, as one that is held", async () => {
    const held = await startPipeline({ upstream: far.origin, settings })
    far.always({ breakAfterPieces: 3 })
    const inputs: number[] = []
    for (const to of [gateway, held]) {
      const response = await send(chat({ stream: true, model: "of-no-known-family" }), {}, to)
      await expect(response.text()).rejects.toThrow()
      const record = await to.nextRecord()
      expect(record).toMatchObject({ outcome: "upstream_broke", usage_source: "estimated" })
      inputs.push(record.input_tokens)
    }
    expect(inputs[0]).toBe(inputs[1])
    expect(inputs[0]).toBeGreaterThan(prompt.length / 8)
    await held.close()
    await expectNothingLeft()
  })

  test("may be a form whose model comes behind its file", async () => {
    const file = randomBytes(5_000_000)
    const form = new FormData()
    form.append("file", new Blob([file]), "speech.wav")
    form.append("model", "whisper-1")
    const response = await fetch(`${gateway.origin}/v1/audio/transcriptions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY },
      body: form,
    })
    await response.arrayBuffer()
    expect((await gateway.nextRecord()).requested_model).toBe("whisper-1")
    expect(far.exchanges[0]!.body.includes(file)).toBe(true)
    await expectNothingLeft()
  })

  test("goes when its client leaves in the middle of it: nothing is sent on, and it has its row", async () => {
    const client = await connectRaw(gateway.port)
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: 9000000\r\n\r\n`,
    )
    client.send(Buffer.alloc(4_000_000, " "))
    await expect.poll(filesOpen).toBe(process.platform === "linux" ? 1 : 0)
    client.close()
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 499 })
    expect(far.exchanges).toEqual([])
    await expectNothingLeft()
  })

  test("goes when it turns out larger than the limit: 413, with its row", async () => {
    const response = await send(
      new ReadableStream({
        start(controller) {
          for (let i = 0; i < 21; i++) controller.enqueue(Buffer.alloc(1_000_000, " "))
          controller.close()
        },
      }),
    ).catch((error: Error) => error)
    if (response instanceof Response) expect(response.status).toBe(413)
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 413 })
    expect(far.exchanges).toEqual([])
    await expectNothingLeft()
  })

  test("goes when the provider cannot be reached", async () => {
    const nobody = await startPipeline({
      upstream: "http://127.0.0.1:9",
      settings,
      deps: { spill: createSpillDirectory(directory) },
    })
    expect((await send(chat({}), {}, nobody)).status).toBe(502)
    await nobody.nextRecord()
    await nobody.close()
    await expectNothingLeft()
  })

  test("goes when the provider answers before it has it all: the client gets that answer, in one row", async () => {
    const hasty = createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => {
        socket.pause()
        socket.write("HTTP/1.1 401 No\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
      })
    })
    await new Promise<void>((resolve) => void hasty.listen(0, "127.0.0.1", resolve))
    const to = await startPipeline({
      upstream: `http://127.0.0.1:${(hasty.address() as AddressInfo).port}`,
      settings,
      deps: { spill: createSpillDirectory(directory) },
    })
    const response = await send(chat({}, words.repeat(400_000)), {}, to)
    expect([response.status, await response.text()]).toEqual([401, "{}"])
    expect(await to.nextRecord()).toMatchObject({ status_code: 401, outcome: "complete" })
    await expectNothingLeft()
    expect(to.records.length).toBe(1)
    await to.close()
    hasty.close()
  })
})

describe("a disk that does not take it costs memory, not the request", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
  const writable = createSpillDirectory(directory)
  /** Takes so many portions, then no more. */
  const takes = (portions: number): SpillDirectory => ({
    async open() {
      if (portions === 0) throw full
      const shelved = await writable.open()
      let taken = 0
      return {
        get length() {
          return shelved.length
        },
        write: (pieces) => (taken++ < portions ? shelved.write(pieces) : Promise.reject(full)),
        read: (maxBytes) => shelved.read(maxBytes),
        pieces: (start, end) => shelved.pieces(start, end),
        close: () => shelved.close(),
      }
    },
  })
  test.each([0, 1, 3])("full after %i portions", async (portions) => {
    const errors: unknown[] = []
    const records: LogRecord[] = []
    const poor = await startPipeline({
      upstream: far.origin,
      settings,
      ledger: {
        append: (record, onStored) => {
          records.push(record)
          onStored?.()
        },
      },
      deps: { spill: takes(portions), onError: (error) => void errors.push(error) },
    })
    const body = chat({})
    expect((await send(body, {}, poor)).status).toBe(200)
    expect(far.exchanges[0]!.body.equals(body)).toBe(true)
    expect(errors).toEqual([full])
    expect(records.length).toBe(1)
    await poor.close()
    await expectNothingLeft()
  })
})

test("a body whose last pieces come while a portion is on its way to a slow disk is whole", async () => {
  const shelf = createSpillDirectory(directory)
  const slow: SpillDirectory = {
    async open() {
      const shelved = await shelf.open()
      const write = shelved.write.bind(shelved)
      shelved.write = async (pieces) => {
        await new Promise((resolve) => setImmediate(resolve)) // later than the end
        await write(pieces)
      }
      return shelved
    },
  }
  // What node keeps behind a pause is its own affair, and more than a portion here.
  const request = Object.assign(new Readable({ highWaterMark: 4_000_000, read() {} }), { headers: {} })
  // Pieces of 60 kB: nine, then portions of three, and with the last piece a portion is full.
  const bytes = randomBytes(48 * 60_000)
  const response = new EventEmitter() as ServerResponse
  const collected = readBody(request as unknown as IncomingMessage, response, {
    memoryBudget: { used: 0, max: 0 },
    maxBytes: 1e9,
    timeoutMs: 10_000,
    spill: slow,
    onDiskError: (error) => expect.unreachable(String(error)),
  })
  for (let at = 0; at < bytes.length; at += 60_000) request.push(bytes.subarray(at, at + 60_000))
  request.push(null)
  const body = await collected
  if (Buffer.isBuffer(body)) expect.unreachable("it is large")
  else {
    expect(body.length).toBe(bytes.length)
    expect(body.read(1e9).equals(bytes)).toBe(true)
    body.close()
  }
})

describe("a body that is large, and not so large that it must lie in a file", () => {
  test("is held while there is room, lies in a file while there is none, and gives its room back", async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    far.always({ beforePiece: () => released })
    const body = chat({ stream: true }, words.repeat(90_000)) // 3.9 MB: eight of them have room
    const running = Array.from({ length: 12 }, () => send(body).then((response) => response.text()))
    await expect.poll(() => far.exchanges.length).toBe(12)
    expect(opened).toBe(4)
    release()
    await Promise.all(running)
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    await send(body).then((response) => response.text())
    expect(opened).toBe(4)
    expect(far.exchanges.every((exchange) => exchange.body.equals(far.exchanges[0]!.body))).toBe(true)
    for (let i = 0; i < 13; i++) expect(await gateway.nextRecord()).toMatchObject({ usage_source: "reported" })
    await expectNothingLeft()
  })
})
