import { beforeAll, describe, expect, it } from "vitest"
import { createPriceBook, type PriceBook } from "../../../src/pricing/price-book.ts"
import type { ProviderRequest } from "../../../src/providers/_dialect.ts"
import { DIALECTS } from "../../../src/providers/catalog.ts"

const { openai } = DIALECTS
const SDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\n"
const session = JSON.stringify({ type: "realtime", model: "gpt-realtime", instructions: "x".repeat(5000) })
const form = [
  '--b\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\n',
  SDP,
  '\r\n--b\r\nContent-Disposition: form-data; name="session"\r\nContent-Type: application/json\r\n\r\n',
  session,
  "\r\n--b--\r\n",
].join("")

function post(path: string, body: string, { type = "application/json", query = "" } = {}): ProviderRequest {
  const headers = { "content-type": type }
  return { provider: "openai", method: "POST", path, query, headers, body: Buffer.from(body), host: "api.openai.com" }
}
const modelOf = (request: ProviderRequest) => openai.prepare(request, { injectStreamUsage: true }).requestedModel

let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
})

/** Returns the cost of a call by its answer. */
function priceCall(request: ProviderRequest, statusCode: number, answer: string) {
  const head = { statusCode, contentType: statusCode < 400 ? "application/sdp" : "application/json" }
  const meter = openai.createMeter(request, openai.framing(request, head))
  meter?.push(Buffer.from(answer))
  const reading = meter!.end({ complete: true })
  const failed = statusCode >= 400
  return book.price({
    provider: "openai",
    requestedModel: "gpt-realtime",
    reading,
    at: Date.parse("2026-11-20"),
    failed,
  })
}

describe("a call by WebRTC or telephone, whose sound does not pass through the gateway", () => {
  const call = post("/v1/realtime/calls", form, { type: "multipart/form-data; boundary=b" })

  it("is neither free nor priced: its cost is not known, and the row says why", () => {
    expect(openai.isFree(call)).toBe(false)
    expect(priceCall(call, 201, SDP)).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
      price: { reason: "the answer reported no usage: the sound of a call does not pass through the gateway" },
    })
    expect(priceCall(post("/v1/realtime/calls/rtc_1/accept", session), 200, "")).toMatchObject({ status: "unpriced" })
  })

  it("costs nothing if the provider rejects it", () => {
    expect(priceCall(call, 400, '{"error":{"message":"No."}}')).toMatchObject({ status: "free", totalCost: "0" })
  })

  it("names its model in the form, in the body or in the address, so that the policy of a key applies", () => {
    expect(modelOf(call)).toBe("gpt-realtime")
    expect(
      modelOf(post("/v1/realtime/calls", SDP, { type: "application/sdp", query: "?model=gpt-realtime-mini" })),
    ).toBe("gpt-realtime-mini")
    expect(modelOf(post("/v1/realtime/calls/rtc_1/accept", session))).toBe("gpt-realtime")
    expect(modelOf(post("/v1/realtime/client_secrets", `{"session":${session}}`))).toBe("gpt-realtime")
    expect(modelOf(post("/v1/realtime/calls", SDP, { type: "application/sdp" }))).toBeUndefined()
  })

  it("is free to end, to reject and to pass on, and so are the secrets of sessions", () => {
    for (const path of [
      "/v1/realtime/calls/rtc_1/hangup",
      "/v1/realtime/calls/rtc_1/reject",
      "/v1/realtime/calls/rtc_1/refer",
      "/v1/realtime/client_secrets",
      "/v1/realtime/translations/client_secrets",
      "/v1/realtime/sessions",
      "/v1/realtime/transcription_sessions",
    ])
      expect([path, openai.isFree({ method: "POST", path })]).toEqual([path, true])
  })
})
