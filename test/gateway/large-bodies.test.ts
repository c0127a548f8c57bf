import { randomBytes } from "node:crypto"
import { EventEmitter } from "node:events"
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import { readBody } from "../../src/gateway/read-body.ts"
import { createSpillDirectory, type SpillDirectory } from "../../src/kit/spill-file.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

const directory = mkdtempSync(join(tmpdir(), "mdm-large-"))
const settings = { maxBodyBytes: 20_000_000, readTimeoutMs: 20_000 }
let fakeProvider: FakeProvider
let gateway: Pipeline
let opened = 0
const counted = (spill: SpillDirectory): SpillDirectory => ({
  open: () => {
    opened++
    return spill.open()
  },
})
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({
    upstream: fakeProvider.origin,
    settings,
    deps: { spill: counted(createSpillDirectory(directory)) },
  })
})
afterEach(() => {
  fakeProvider.reset()
  opened = 0
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
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

/** Counts the files of the directory that this process has open, with or without a name. */
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

describe("a body in a spill file", () => {
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
  ])("sent %s reaches the provider byte for byte, with its length, and its row is exact", async (_, toInit) => {
    const body = chat({})
    const response = await send(toInit(body))
    expect(response.status).toBe(200)
    const answer = (await response.json()) as { usage: { prompt_tokens: number } }
    const [exchange] = fakeProvider.exchanges
    expect(exchange!.body.equals(body)).toBe(true)
    expect(exchange!.headers["content-length"]).toBe(String(body.length))
    expect(exchange!.headers["transfer-encoding"]).toBeUndefined()
    const record = await gateway.nextRecord()
    expect(record).toMatchObject({ requested_model: "gpt-4o-mini", usage_source: "reported", status_code: 200 })
    expect(record.input_tokens).toBe(answer.usage.prompt_tokens)
    expect(opened).toBe(1)
    await expectNothingLeft()
  })

  test("gets stream_options inserted and no other change; if the provider rejects them, it is sent again as it came", async () => {
    const body = chat({ stream: true, user: "\u00e9" })
    expect(await (await send(body)).text()).not.toContain('"usage":{')
    const [asked] = fakeProvider.exchanges
    const at = body.indexOf('"stream":true') + 13
    const inserted = Buffer.from(',"stream_options":{"include_usage":true}')
    const changed = Buffer.concat([body.subarray(0, at), inserted, body.subarray(at)])
    expect(asked!.body.equals(changed)).toBe(true)
    expect(asked!.headers["content-length"]).toBe(String(changed.length))
    expect(await gateway.nextRecord()).toMatchObject({ usage_source: "reported", input_tokens: asked!.tokens.input })

    fakeProvider.reset()
    fakeProvider.always({ refuseIncludeUsage: true })
    expect((await send(body)).status).toBe(200)
    expect(fakeProvider.exchanges.map((exchange) => exchange.body.equals(body))).toEqual([false, true])
    await gateway.nextRecord()
    await expectNothingLeft()
  })

  test("is the base of an estimate when its answer is interrupted, exactly like a body in memory", async () => {
    const held = await startPipeline({ upstream: fakeProvider.origin, settings })
    fakeProvider.always({ breakAfterPieces: 3 })
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

  test("can be a form in which the model follows a file", async () => {
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
    expect(fakeProvider.exchanges[0]!.body.includes(file)).toBe(true)
    await expectNothingLeft()
  })

  test("is deleted when its client disconnects before the end: nothing is forwarded, and there is one row", async () => {
    const client = await connectRaw(gateway.port)
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: 9000000\r\n\r\n`,
    )
    client.send(Buffer.alloc(4_000_000, " "))
    await expect.poll(filesOpen).toBe(process.platform === "linux" ? 1 : 0)
    client.close()
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 499 })
    expect(fakeProvider.exchanges).toEqual([])
    await expectNothingLeft()
  })

  test("is deleted when it exceeds the limit: 413, with a row", async () => {
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
    expect(fakeProvider.exchanges).toEqual([])
    await expectNothingLeft()
  })

  test("is deleted when the provider cannot be reached", async () => {
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

  test("is deleted when the provider answers before it has read all: the client gets that answer, with one row", async () => {
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

describe("a disk that fails costs memory, not the request", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
  const writable = createSpillDirectory(directory)
  /** Accepts this many writes, then fails. */
  const acceptsWrites = (count: number): SpillDirectory => ({
    async open() {
      if (count === 0) throw full
      const file = await writable.open()
      let done = 0
      return {
        get length() {
          return file.length
        },
        write: (pieces) => (done++ < count ? file.write(pieces) : Promise.reject(full)),
        read: (maxBytes) => file.read(maxBytes),
        pieces: (start, end) => file.pieces(start, end),
        close: () => file.close(),
      }
    },
  })
  test.each([0, 1, 3])("full after %i writes", async (writes) => {
    const errors: unknown[] = []
    const records: LogRecord[] = []
    const poor = await startPipeline({
      upstream: fakeProvider.origin,
      settings,
      ledger: {
        append: (record, onStored) => {
          records.push(record)
          onStored?.()
        },
      },
      deps: { spill: acceptsWrites(writes), onSpillError: (error) => void errors.push(error) },
    })
    const body = chat({})
    expect((await send(body, {}, poor)).status).toBe(200)
    expect(fakeProvider.exchanges[0]!.body.equals(body)).toBe(true)
    expect(errors).toEqual([full])
    expect(records.length).toBe(1)
    await poor.close()
    await expectNothingLeft()
  })

  test.each([0, 1, 3])("[O12] beyond the memory budget it costs the request, full after %i writes", async (writes) => {
    const poor = await startPipeline({
      upstream: fakeProvider.origin,
      settings: { ...settings, maxBodyBytes: 200_000_000 },
      deps: { spill: acceptsWrites(writes), onSpillError: () => {} },
    })
    const tooMuch = await send(chat({}, words.repeat(1_000_000)), {}, poor)
    expect(tooMuch.status).toBe(503)
    expect(tooMuch.headers.get("retry-after")).toBe("5")
    expect(await tooMuch.json()).toMatchObject({
      error: { code: "disk_full", message: expect.stringContaining("storage.data_dir") },
    })
    expect(await poor.nextRecord()).toMatchObject({ status_code: 503, usage_source: "none" })
    expect(fakeProvider.exchanges).toHaveLength(0)
    // The memory is free again for a body that fits.
    expect((await send(chat({}), {}, poor)).status).toBe(200)
    await poor.close()
    await expectNothingLeft()
  })
})

test("a body whose last pieces arrive during a write to a slow disk is complete", async () => {
  const spill = createSpillDirectory(directory)
  const slow: SpillDirectory = {
    async open() {
      const file = await spill.open()
      const write = file.write.bind(file)
      file.write = async (pieces) => {
        await new Promise((resolve) => setImmediate(resolve)) // after the end of the request
        await write(pieces)
      }
      return file
    },
  }
  // Node buffers more than one write of the spill file during a pause.
  const request = Object.assign(new Readable({ highWaterMark: 4_000_000, read() {} }), { headers: {} })
  // Pieces of 60 kB: nine stay in memory, then three make one write, and the last piece completes a write.
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
  if (Buffer.isBuffer(body)) expect.unreachable("it is in a spill file")
  else {
    expect(body.length).toBe(bytes.length)
    expect(body.read(1e9).equals(bytes)).toBe(true)
    body.close()
  }
})

describe("a body between the two size limits", () => {
  test("stays in memory within the memory budget, goes to a spill file beyond it, and releases its reservation", async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    fakeProvider.always({ beforePiece: () => released })
    const body = chat({ stream: true }, words.repeat(90_000)) // 3.9 MB: eight of them fit into the memory budget
    const running = Array.from({ length: 12 }, () => send(body).then((response) => response.text()))
    await expect.poll(() => fakeProvider.exchanges.length).toBe(12)
    expect(opened).toBe(4)
    release()
    await Promise.all(running)
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    await send(body).then((response) => response.text())
    expect(opened).toBe(4)
    expect(fakeProvider.exchanges.every((exchange) => exchange.body.equals(fakeProvider.exchanges[0]!.body))).toBe(true)
    for (let i = 0; i < 13; i++) expect(await gateway.nextRecord()).toMatchObject({ usage_source: "reported" })
    await expectNothingLeft()
  })
})
