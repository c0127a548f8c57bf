import { describe, expect, it } from "vitest"
import type { Reading } from "../../src/core/usage.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { readCpuMs } from "../support/cpu.ts"
import { openMeter } from "../support/meter.ts"

const MiB = 1024 * 1024
const PIECE = 64 * 1024

/** Pushes the parts in network-sized pieces, and returns the reading, the CPU time of the longest push and the size. */
function meter(format: Format, path: string, contentType: string, parts: Iterable<Buffer>) {
  const request = { provider: format, method: "POST", path, query: "", headers: {}, body: Buffer.alloc(0), host: "h" }
  const meter = openMeter(DIALECTS[format], request, { statusCode: 200, contentType })!
  let longestMs = 0
  let bytes = 0
  const timed = <T>(act: () => T): T => {
    const started = readCpuMs()
    const result = act()
    longestMs = Math.max(longestMs, readCpuMs() - started)
    return result
  }
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) timed(() => meter.push(part.subarray(at, at + PIECE)))
    bytes += part.length
  }
  const reading: Reading = timed(() => meter.end({ complete: true }))
  return { reading, longestMs, bytes }
}

const filler = Buffer.alloc(MiB, "A")
function* repeated(head: string, times: number, tail: string, part = filler) {
  yield Buffer.from(head)
  for (let i = 0; i < times; i++) yield part
  yield Buffer.from(tail)
}

describe("answers of any size are read without blocking the event loop or growing memory", () => {
  it("pictures of 300 MB in one JSON document, with the usage before or after them", () => {
    const usage = '"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}'
    for (const [head, tail] of [
      [`{${usage},"data":[{"b64_json":"`, '"}]}'],
      ['{"data":[{"b64_json":"', `"}],${usage}}`],
    ] as const) {
      const before = process.memoryUsage().arrayBuffers
      const { reading, longestMs } = meter(
        "openai",
        "/v1/images/generations",
        "application/json",
        repeated(head, 300, tail),
      )
      expect(reading.parts[0]?.usage).toMatchObject({ input: 5, outputImage: 6 })
      expect(longestMs).toBeLessThan(50)
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MiB)
    }
  })
  it("one event of 50 MB in a stream", () => {
    const parts = repeated(
      'data: {"type":"image_generation.completed","b64_json":"',
      50,
      '","usage":{"input_tokens":5,"output_tokens":6}}\n\n',
    )
    const { reading, longestMs } = meter("openai", "/v1/images/generations", "text/event-stream", parts)
    expect(reading.parts[0]?.usage).toMatchObject({ input: 5, outputImage: 6 })
    expect(longestMs).toBeLessThan(50)
  })
  it("an element of 50 MB in Gemini's array", () => {
    const parts = repeated(
      '[{"candidates":[{"content":{"parts":[{"inlineData":{"data":"',
      50,
      '"}}]}}],"usageMetadata":{"promptTokenCount":3}}]',
    )
    const { reading } = meter("gemini", "/v1beta/models/g:streamGenerateContent", "application/json", parts)
    expect(reading.parts[0]?.usage.input).toBe(3)
  })
  it("nesting of any depth", () => {
    const deep = Buffer.alloc(MiB, '[{"a":')
    const { reading, longestMs } = meter(
      "openai",
      "/v1/chat/completions",
      "application/json",
      repeated('{"model":"m","x":', 20, "", deep),
    )
    expect(reading).toMatchObject({ model: "m", source: "none" })
    expect(longestMs).toBeLessThan(50)
    const small = Buffer.from(
      `{"model":"m","x":${"[".repeat(100_000)}${"]".repeat(100_000)},"usage":{"prompt_tokens":1}}`,
    )
    expect(meter("openai", "/v1/chat/completions", "application/json", [small]).reading.parts[0]?.usage.input).toBe(1)
  })
  it("a usage object that is itself enormous is stored within bounds", () => {
    const members = Array.from({ length: 2000 }, (_, i) => `"k${i}":"${"v".repeat(50)}"`).join(",")
    const body = Buffer.from(`{"model":"m","usage":{"prompt_tokens":7,${members}}}`)
    const { reading } = meter("openai", "/v1/chat/completions", "application/json", [body])
    expect(reading.parts[0]?.usage.input).toBe(7)
    expect(JSON.stringify(reading.raw).length).toBeLessThan(48 * 1024)
  })
})
