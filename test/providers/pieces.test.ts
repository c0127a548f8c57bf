import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { DIALECTS, type Format } from "../../src/providers/catalog.ts"
import { readStoredAnswer } from "../../src/providers/stored.ts"
import { openMeter } from "../support/meter.ts"

interface Exchange {
  readonly format?: Format
  readonly provider?: string
  readonly path: string
  readonly request: Readonly<Record<string, unknown>> | string
  readonly requestType?: string
  readonly answer: unknown
  readonly contentType?: string
  readonly status?: number
}

const AT = Date.parse("2026-11-20T12:00:00Z")

describe("what is billed by the piece", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  afterAll(() => book.close())

  function price({ format = "openai", provider = format, path, request, answer, ...how }: Exchange) {
    const dialect = DIALECTS[format]
    const body = Buffer.from(typeof request === "string" ? request : JSON.stringify(request))
    const exchange = {
      provider,
      method: "POST",
      path,
      query: "",
      headers: { "content-type": how.requestType ?? "application/json" },
      body,
      host: "provider.test",
    }
    const { requestedModel } = dialect.prepare(exchange, { injectStreamUsage: true })
    const statusCode = how.status ?? 200
    const meter = openMeter(dialect, exchange, { statusCode, contentType: how.contentType ?? "application/json" })
    meter?.push(Buffer.from(typeof answer === "string" ? answer : JSON.stringify(answer)))
    const reading = meter?.end({ complete: true })
    if (!reading) throw new Error("the answer has no meter")
    const ask = (of: typeof reading) =>
      book.price({ provider, requestedModel, reading: of, at: AT, failed: statusCode >= 400 })
    const cost = ask(reading)
    const stored = { method: "POST", path, model: reading.model ?? requestedModel, usage: reading.raw }
    const again = readStoredAnswer(dialect, stored)
    if (again) expect(ask({ ...again, source: reading.source })).toEqual(cost)
    return cost
  }

  const speech = { path: "/v1/audio/speech", answer: "\u0000sound", contentType: "audio/mpeg" }
  const pictures = { path: "/v1/images/generations", answer: { data: [{ url: "a" }, { url: "b" }] } }
  const film = { path: "/v1/videos", answer: { id: "video_1", status: "queued", model: "sora-2", seconds: "8" } }
  const pages = { path: "/v1/ocr", provider: "mistral" }
  const veo = {
    format: "gemini" as const,
    path: "/v1beta/models/veo-3.1-fast-generate-preview:predictLongRunning",
    answer: { name: "models/veo-3.1-fast-generate-preview/operations/1" },
  }

  test.each<[string, Exchange, string, string | undefined]>([
    // 15 USD per million characters: 10 characters, of which one is two UTF-16 units.
    [
      "a speech costs its characters",
      { ...speech, request: { model: "tts-1", input: "Hi there 👋" } },
      "exact",
      "0.00015",
    ],
    [
      "a better speech costs twice as much",
      { ...speech, request: { model: "tts-1-hd", input: "1234567890" } },
      "exact",
      "0.0003",
    ],
    ["a picture costs by its default size", { ...pictures, request: { model: "dall-e-3" } }, "exact", "0.08"],
    [
      "a picture costs by size and quality",
      { ...pictures, request: { model: "dall-e-3", size: "1792x1024", quality: "hd" } },
      "exact",
      "0.24",
    ],
    [
      "a picture costs by the size that a form states",
      {
        ...pictures,
        path: "/v1/images/variations",
        requestType: "multipart/form-data; boundary=x",
        request:
          '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\ndall-e-2\r\n--x\r\ncontent-disposition: form-data; name="size"\r\n\r\n256x256\r\n--x--\r\n',
      },
      "exact",
      "0.032",
    ],
    [
      "a picture of an unknown size has no price",
      { ...pictures, request: { model: "dall-e-3", size: "1x1" } },
      "unpriced",
      undefined,
    ],
    [
      "a picture without its tokens has no price",
      { ...pictures, request: { model: "gpt-image-1" } },
      "unpriced",
      undefined,
    ],
    [
      "a film is an estimate, because one that fails is not billed",
      { ...film, request: { size: "1280x720" } },
      "estimated",
      "0.8",
    ],
    ["a film of an unknown size has no price", { ...film, request: { size: "9x9" } }, "unpriced", undefined],
    [
      "a page costs what the model's list says",
      {
        ...pages,
        request: { model: "mistral-ocr-2512" },
        answer: { model: "mistral-ocr-2512", usage_info: { pages_processed: 3 } },
      },
      "exact",
      "0.006",
    ],
    [
      "an annotated page costs more",
      {
        ...pages,
        request: { model: "mistral-ocr-2512", document_annotation_format: { type: "json_schema" } },
        answer: { model: "mistral-ocr-2512", usage_info: { pages_processed: 3 } },
      },
      "exact",
      "0.009",
    ],
    [
      "pictures of Imagen cost the same in every size",
      {
        format: "gemini",
        path: "/v1beta/models/imagen-4.0-generate-001:predict",
        request: { instances: [{ prompt: "p" }] },
        answer: { predictions: [{ mimeType: "image/png" }, { mimeType: "image/png" }] },
      },
      "exact",
      "0.08",
    ],
    [
      "a film of Veo costs by its seconds, its resolution and the number of films",
      { ...veo, request: { instances: [], parameters: { durationSeconds: 6, resolution: "1080p", sampleCount: 2 } } },
      "estimated",
      "1.44",
    ],
    ["a film of Veo has a default length", { ...veo, request: { instances: [] } }, "estimated", "0.8"],
    [
      "a speech that was rejected costs nothing",
      {
        ...speech,
        request: { model: "tts-1", input: "x" },
        answer: { error: { message: "m" } },
        contentType: "application/json",
        status: 400,
      },
      "free",
      "0",
    ],
    [
      "a film that was rejected costs nothing",
      { ...film, request: {}, answer: { error: { message: "m" } }, status: 400 },
      "free",
      "0",
    ],
  ])("%s", (_, exchange, status, total) => {
    const cost = price(exchange)
    expect([cost.status, cost.totalCost], JSON.stringify(cost.price)).toEqual([status, total])
    if (status === "estimated" || status === "unpriced") expect(cost.price?.reason).toBeTruthy()
  })

  test("a speech that is billed by tokens is estimated from its text", () => {
    // 40 characters are 10 tokens of text, and 60 of sound at 12 USD per million.
    const cost = price({ ...speech, request: { model: "gpt-4o-mini-tts", input: "x".repeat(40) } })
    expect([cost.status, cost.outputCost]).toEqual(["estimated", "0.00072"])
  })

  test("the certificate names the kind of the pieces", () => {
    const cost = price({ ...pictures, request: { model: "dall-e-3", quality: "hd" } })
    expect(cost.price?.lines).toMatchObject([{ bucket: "images", kind: "1024x1024 hd", quantity: 2, rate: "0.08" }])
  })
})
