import { createHash } from "node:crypto"
import type { Socket } from "node:net"
import * as zlib from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { headLines, type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"
import { bodyOf, exchange, request, statusOf } from "./_raw.ts"

let respond: (socket: Socket, request: string) => void = (socket) => void socket.write(OK)
let upstream: OddUpstream
let gateway: Pipeline
beforeAll(async () => {
  upstream = await startOddUpstream((socket, text) => respond(socket, text))
  gateway = await startPipeline({ upstream: upstream.origin })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

const ANSWERED = { path: "/v1/responses" } as const
const chunk = (text: string | Buffer) =>
  Buffer.concat([
    Buffer.from(`${text.length.toString(16)}\r\n`),
    Buffer.from(text as string, "latin1"),
    Buffer.from("\r\n"),
  ])
const streamHead = (more = "") =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${more}Transfer-Encoding: chunked\r\n\r\n`

/** Encodes the body of a response as chunks. */
function unchunk(body: string): string {
  let rest = body
  let text = ""
  for (;;) {
    const end = rest.indexOf("\r\n")
    const size = Number.parseInt(rest.slice(0, end), 16)
    if (!(size > 0)) return text
    text += rest.slice(end + 2, end + 2 + size)
    rest = rest.slice(end + 2 + size + 2)
  }
}

async function stream(pieces: readonly (string | Buffer)[], { more = "", text = request("", ANSWERED) } = {}) {
  respond = (socket) => {
    socket.write(streamHead(more))
    for (const piece of pieces) socket.write(chunk(piece))
    socket.write("0\r\n\r\n")
  }
  const got = await exchange(gateway.port, text)
  return { text: got, body: unchunk(bodyOf(got)), row: await gateway.nextRecord() }
}

describe("a stream", () => {
  test("[SSE-01] the headers are sent before the first event, and each event before the next one arrives", async () => {
    let provider: Socket | undefined
    respond = (socket) => {
      provider = socket
      socket.write(streamHead())
    }
    const client = await connectRaw(gateway.port)
    client.send(request("", ANSWERED))
    expect(await client.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 200 /)
    for (let i = 0; i < 50; i++) {
      provider!.write(chunk(`data: {"n":${i}}\n\n`))
      await client.until(new RegExp(`"n":${i}}`))
    }
    provider!.write("0\r\n\r\n")
    await client.closed()
    await gateway.nextRecord()
  })

  test("[SSE-12] single bytes are forwarded one by one without waiting for more", async () => {
    let provider: Socket | undefined
    respond = (socket) => {
      provider = socket
      socket.write(streamHead())
    }
    const client = await connectRaw(gateway.port)
    client.send(request("", ANSWERED))
    await client.until(/\r\n\r\n/)
    let seen = client.received().length
    for (const letter of "data: {}") {
      provider!.write(chunk(letter))
      await client.until(new RegExp(`^[\\s\\S]{${seen + 1},}$`))
      seen = client.received().length
    }
    provider!.write("0\r\n\r\n")
    await client.closed()
    await gateway.nextRecord()
    expect(unchunk(bodyOf(client.received()))).toBe("data: {}")
  })

  test.each([
    ["LF", "data: {}\n\n"],
    ["CRLF", "data: {}\r\n\r\n"],
    ["CR", "data: {}\r\r"],
    ["comments", ": ping\n\ndata: {}\n\n:\n\n"],
    ["no space", "data:{}\n\n"],
    ["several lines of data", "data: {\ndata: }\n\n"],
    ["id, retry, event", "id: 1\nretry: 5\nevent: x\ndata: {}\n\n"],
    ["empty data", "data:\n\ndata: \n\ndata\n\n"],
    ["unknown fields", "what: ever\nnofield\n\n"],
    ["no blank line at the end", "data: {}"],
    ["a byte order mark", "\xef\xbb\xbfdata: {}\n\n"],
    ["a BOM in the middle", "data: {}\n\n\xef\xbb\xbfdata: {}\n\n"],
    ["no event", ""],
    ["[DONE] twice", "data: [DONE]\n\ndata: [DONE]\n\n"],
    ["events behind [DONE]", "data: [DONE]\n\ndata: {}\n\n"],
    ["bytes that are not text", "data: \xff\xfe\x00\n\n"],
    ["null bytes", "\0data: {}\0\n\n"],
    ["an HTML page", "<html>\n\n"],
    ["JSON without data", '{"error":"x"}\n\n'],
    ["a colon first", ":data: {}\n\n"],
    ["leading spaces", " data: {}\n\n"],
    ["upper case", "DATA: {}\n\n"],
    ["a very long name", `${"d".repeat(10_000)}: {}\n\n`],
    ["blank lines only", "\n\n\n\r\n\r\n"],
    ["an escape sequence", "data: \x1b[2J\n\n"],
  ])("[SSE-03] passes byte for byte: %s", async (_, text) => {
    for (const injected of [false, true]) {
      const asked = injected
        ? request("", { body: '{"model":"m","stream":true,"messages":[]}' })
        : request("", ANSWERED)
      const { body, row } = await stream(text === "" ? [] : [text], { text: asked })
      expect(body).toBe(text)
      expect(row).toMatchObject({ outcome: "complete", streamed: true, status_code: 200 })
    }
  })

  test("[SSE-04] an endless line needs bounded memory and passes completely", async () => {
    const bytes = 100 * 1024 * 1024
    const piece = chunk(Buffer.alloc(1024 * 1024, "x"))
    respond = async (socket) => {
      socket.write(streamHead())
      socket.write(chunk("data: "))
      for (let sent = 0; sent < bytes; sent += 1024 * 1024) {
        if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve))
      }
      socket.write("0\r\n\r\n")
    }
    const client = await connectRaw(gateway.port)
    let received = 0
    client.socket.removeAllListeners("data").on("data", (data) => {
      received += data.length
    })
    const before = process.memoryUsage().rss
    let most = before
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss)
    }, 10)
    client.send(request("", ANSWERED))
    const row = await gateway.nextRecord()
    clearInterval(watch)
    expect(row.outcome).toBe("complete")
    await client.closed()
    expect(received).toBeGreaterThan(bytes)
    // Client, gateway and provider share this process. The limit must only be far below the length of the line.
    expect(most - before).toBeLessThan(80 * 1024 * 1024)
  })

  test("[SSE-10] the gateway adds nothing to a stream that its provider breaks off", async () => {
    respond = (socket) => {
      socket.write(streamHead())
      socket.write(chunk("data: {}\n\n"), () => setImmediate(() => socket.destroy()))
    }
    const text = await exchange(gateway.port, request("", ANSWERED))
    expect((await gateway.nextRecord()).outcome).toBe("upstream_broke")
    expect(bodyOf(text)).toBe("a\r\ndata: {}\n\n\r\n")
  })

  test("[SSE-11] headers against buffering are the provider's, and no length is added", async () => {
    const { text } = await stream(["data: {}\n\n"], {
      more: "X-Accel-Buffering: no\r\nCache-Control: no-cache, no-transform\r\n",
    })
    expect(headLines(text)).toEqual(
      expect.arrayContaining(["X-Accel-Buffering: no", "Cache-Control: no-cache, no-transform"]),
    )
    expect(text).not.toMatch(/^content-length:/im)
  })
})

describe("the usage of OpenAI, Anthropic and Gemini", () => {
  const openai = (...events: string[]) => events.map((event) => `data: ${event}\n\n`)
  const asking = request("", {
    body: '{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}',
  })
  const delta = '{"model":"m","choices":[{"delta":{"content":"Hello there"}}]}'

  test.each([
    [
      "in the last chunk",
      openai(delta, '{"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}', "[DONE]"),
      "reported",
      7,
      3,
    ],
    [
      "in every chunk, cumulative",
      openai(
        '{"choices":[{"delta":{}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}',
        '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}',
        "[DONE]",
      ),
      "reported",
      7,
      3,
    ],
    [
      "without [DONE]",
      openai(delta, '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'),
      "reported",
      7,
      3,
    ],
    [
      "null in all but the last",
      openai('{"choices":[],"usage":null}', '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}'),
      "reported",
      7,
      3,
    ],
  ] as const)("[SSE-06] of OpenAI is read %s", async (_, events, source, input, output) => {
    const { row } = await stream(events as string[], { text: asking })
    expect(row).toMatchObject({ usage_source: source, input_tokens: input, output_tokens: output })
  })

  test.each([
    ["null", openai('{"choices":[{"delta":{"content":"Hi"}}],"usage":null}', "[DONE]")],
    ["missing", openai(delta, "[DONE]")],
  ])("[SSE-06] of OpenAI that is %s is never read as a real 0", async (_, events) => {
    const { row } = await stream(events, { text: asking })
    expect(row.usage_source).not.toBe("reported")
  })

  const messages = request("", { path: "/v1/messages", body: '{"model":"claude","stream":true,"messages":[]}' })
  const start =
    'event: message_start\ndata: {"type":"message_start","message":{"model":"claude","usage":{"input_tokens":25,"output_tokens":1}}}\n\n'
  const text =
    'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello there you"}}\n\n'
  const more = (count: number) =>
    `event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":${count}}}\n\n`

  test("[SSE-07] output tokens of Anthropic are cumulative and not added up", async () => {
    const { row } = await stream([start, more(5), more(15), 'event: message_stop\ndata: {"type":"message_stop"}\n\n'], {
      text: messages,
    })
    expect(row).toMatchObject({ input_tokens: 25, output_tokens: 15, usage_source: "reported" })
  })

  test("[SSE-07] of an Anthropic stream that breaks off after its start has the input tokens and estimates the output", async () => {
    respond = (socket) => {
      socket.write(streamHead())
      socket.write(chunk(start + text), () => setImmediate(() => socket.destroy()))
    }
    await exchange(gateway.port, messages)
    const row = await gateway.nextRecord()
    expect(row).toMatchObject({ outcome: "upstream_broke", input_tokens: 25, usage_source: "estimated" })
    expect(row.output_tokens).toBeGreaterThan(0)
  })

  const gemini = (input: number, output: number) =>
    `{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":${input},"candidatesTokenCount":${output},"totalTokenCount":${input + output}},"modelVersion":"g"}`
  test.each([
    ["with alt=sse", "?alt=sse", [`data: ${gemini(4, 1)}\n\n`, `data: ${gemini(4, 9)}\n\n`]],
    ["as one JSON array", "", [`[${gemini(4, 1)}\n,`, `\r\n${gemini(4, 9)}`, "\n]"]],
  ])("[SSE-08] the last usage of Gemini counts, %s", async (_, query, pieces) => {
    const asked = request("", { path: `/v1beta/models/g:streamGenerateContent${query}`, body: "{}" })
    const { row, body } = await stream(pieces, { text: asked })
    expect(body).toBe(pieces.join(""))
    expect(row).toMatchObject({ streamed: true, input_tokens: 4, output_tokens: 9, usage_source: "reported" })
  })
})

describe("a compressed response", () => {
  const usage = '{"model":"m","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":5}}'
  const codings = {
    gzip: zlib.gzipSync,
    deflate: zlib.deflateSync,
    "deflate without its header": zlib.deflateRawSync,
    br: zlib.brotliCompressSync,
    ...("zstdCompressSync" in zlib
      ? { zstd: (zlib as unknown as { zstdCompressSync: typeof zlib.gzipSync }).zstdCompressSync }
      : {}),
  } as const
  const cells = Object.keys(codings).flatMap((name) => [[name, "whole"] as const, [name, "streamed"] as const])

  test.each(cells)(
    "[ENC-01] %s, %s: bytes, encoding, length and ETag are the provider's, and the usage is read",
    async (name, how) => {
      const compress = codings[name as keyof typeof codings]
      const label = name.split(" ")[0]!
      const plain = how === "whole" ? usage : `data: ${usage}\n\ndata: [DONE]\n\n`
      const body = compress!(Buffer.from(plain)) as Buffer
      const marks = `Content-Encoding: ${label}\r\nETag: "abc"\r\n`
      respond = (socket) => {
        if (how === "whole") {
          socket.write(
            `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${marks}Content-Length: ${body.length}\r\n\r\n`,
          )
          socket.write(body)
        } else {
          socket.write(streamHead(marks))
          for (const byte of body) socket.write(chunk(Buffer.from([byte])))
          socket.write("0\r\n\r\n")
        }
      }
      const text = await exchange(
        gateway.port,
        request("Accept-Encoding: gzip, deflate, br, zstd\r\n", { path: "/v1/completions" }),
      )
      const got = how === "whole" ? bodyOf(text) : unchunk(bodyOf(text))
      expect(Buffer.from(got, "latin1").equals(body)).toBe(true)
      expect(headLines(text)).toEqual(expect.arrayContaining([`Content-Encoding: ${label}`, 'ETag: "abc"']))
      expect(await gateway.nextRecord()).toMatchObject({ input_tokens: 11, output_tokens: 5, usage_source: "reported" })
    },
  )

  const zstd = "createZstdDecompress" in zlib
  test.each([
    ["gzip", "gzip"],
    ["br;q=0", "br;q=0"],
    ["*", "identity"],
    ["gzip;q=0, identity", "gzip;q=0, identity"],
    ["compress, foo", "identity"],
    ["gzip, compress;q=0.5, br", "gzip, br"],
    ["zstd", zstd ? "zstd" : "identity"],
    ["", "identity"],
  ])(
    "[ENC-02] if the client accepts %j, the provider is offered the encodings that the gateway can read: %j",
    async (accepted, offered) => {
      respond = (socket) => void socket.write(OK)
      await exchange(gateway.port, request(`Accept-Encoding: ${accepted}\r\n`, ANSWERED))
      await gateway.nextRecord()
      const lines = headLines(upstream.requests.at(-1)!)
      expect(lines.filter((line) => /^accept-encoding/i.test(line))).toEqual([`Accept-Encoding: ${offered}`])
    },
  )

  test("[ENC-02] no Accept-Encoding is added for a client that sends none", async () => {
    await exchange(gateway.port, request("", ANSWERED))
    await gateway.nextRecord()
    expect(headLines(upstream.requests.at(-1)!).filter((line) => /^accept-encoding/i.test(line))).toEqual([])
  })

  test.each([
    ["fifty codings", Array.from({ length: 50 }, () => "gzip").join(", "), zlib.gzipSync(usage)],
    ["two codings", "gzip, gzip", zlib.gzipSync(zlib.gzipSync(usage))],
    ["an unknown encoding", "foo", Buffer.from(usage)],
    ["a wrong label", "gzip", Buffer.from(usage)],
    ["a wrong label, br", "br", Buffer.from(usage)],
    ["half of the data", "gzip", zlib.gzipSync(Buffer.alloc(5000, "ab")).subarray(0, 20)],
    ["bytes after its end", "gzip", Buffer.concat([zlib.gzipSync(usage), Buffer.from("junk")])],
    ["nothing", "gzip", Buffer.alloc(0)],
  ])("[ENC-04] that cannot be decoded passes unchanged: %s", async (_, coding, body) => {
    respond = (socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`,
      )
      socket.write(body)
    }
    const text = await exchange(gateway.port, request("", ANSWERED))
    expect(Buffer.from(bodyOf(text), "latin1").equals(body)).toBe(true)
    expect(text).toContain(`Content-Encoding: ${coding}`)
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 200, outcome: "complete" })
  })

  test("[ENC-04] a decompression bomb is forwarded but no longer decoded, so that it affects neither the event loop nor memory", async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(512 * 1024 * 1024), { level: 9 })
    respond = (socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
      )
      socket.write(bomb)
    }
    const before = process.memoryUsage().rss
    const text = await exchange(gateway.port, request("", ANSWERED))
    const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")
    expect(sha(Buffer.from(bodyOf(text), "latin1"))).toBe(sha(bomb))
    expect((await gateway.nextRecord()).usage_source).toBe("none")
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
  })

  test.each([
    ["gzip", zlib.gzipSync('{"model":"m"}')],
    ["br", zlib.brotliCompressSync('{"model":"m"}')],
    ["foo", Buffer.from("anything")],
    ["gzip, br", Buffer.from("anything")],
  ])("[ENC-06] a request body in %s is forwarded unchanged", async (coding, body) => {
    respond = (socket) => void socket.write(OK)
    const text = request(`Content-Encoding: ${coding}\r\n`, { ...ANSWERED, body: body.toString("latin1") })
    expect(statusOf(await exchange(gateway.port, text))).toBe(200)
    await gateway.nextRecord()
    const arrived = upstream.requests.at(-1)!
    expect(bodyOf(arrived)).toBe(body.toString("latin1"))
    expect(headLines(arrived)).toContain(`Content-Encoding: ${coding}`)
  })
})
