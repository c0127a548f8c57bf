import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const JSON_ANSWER = JSON.stringify({
  id: "c",
  object: "chat.completion",
  model: "gpt-4o-mini-2024-07-18",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 },
})

/** The answer that the provider is giving: the test decides when its next bytes come. */
let answering: Promise<ServerResponse>
let onAnswer: (response: ServerResponse) => void = () => {}
const provider = createServer((request, response) => {
  request.resume().once("end", () => {
    response.writeHead(200, { "content-type": "application/json" })
    response.flushHeaders()
    onAnswer(response)
  })
})
let gateway: Pipeline
beforeAll(async () => {
  await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve))
  gateway = await startPipeline({ upstream: `http://127.0.0.1:${(provider.address() as AddressInfo).port}` })
})
afterAll(async () => {
  await gateway.close()
  provider.close()
})

function ask(): Promise<Response> {
  answering = new Promise((resolve) => {
    onAnswer = resolve
  })
  return fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY, authorization: "Bearer sk-x" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "x" }] }),
  })
}

const PRICED = { status_code: 200, outcome: "complete", streamed: false, input_tokens: 1000, output_tokens: 500 }

describe("[L11] an answer that is no stream", () => {
  it.each(["\n", " ", "\r\n", "\t"])("is relayed at once when it begins with white space (%j)", async (padding) => {
    const asked = ask()
    const answer = await answering
    answer.write(padding)
    const response = await asked // the head has arrived, although the provider has not begun the JSON
    const reader = response.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(padding)
    answer.write(padding)
    expect(Buffer.from((await reader.read()).value!).toString()).toBe(padding)
    answer.end(JSON_ANSWER)
    let rest = ""
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) rest += Buffer.from(piece.value)
    expect(rest).toBe(JSON_ANSWER)
    expect(response.headers.get("x-majordomo-cost")).toBeNull()
    expect(await gateway.nextRecord()).toMatchObject({ ...PRICED, cost_status: "exact", total_cost: "0.0003" })
  })

  it.each([
    ["has sent only its head", ""],
    ["has sent a part", JSON_ANSWER.slice(0, 100)],
  ])("is relayed as it comes when it has lasted a second and %s", async (_, part) => {
    const asked = ask()
    const answer = await answering
    if (part !== "") answer.write(part)
    const response = await asked
    answer.end(JSON_ANSWER.slice(part.length))
    expect(await response.text()).toBe(JSON_ANSWER)
    expect(response.headers.get("x-majordomo-cost")).toBeNull()
    expect(await gateway.nextRecord()).toMatchObject(PRICED)
  })

  it("is relayed after a second also when others began before and after it", async () => {
    const slow: { readonly asked: Promise<Response>; readonly answer: ServerResponse }[] = []
    for (let i = 0; i < 3; i++) {
      const asked = ask()
      slow.push({ asked, answer: await answering })
    }
    slow[1]!.answer.end(JSON_ANSWER)
    expect(await (await slow[1]!.asked).text()).toBe(JSON_ANSWER)
    for (const { asked, answer } of [slow[0]!, slow[2]!]) {
      const response = await asked
      answer.end(JSON_ANSWER)
      expect(await response.text()).toBe(JSON_ANSWER)
    }
    for (let i = 0; i < 3; i++) expect(await gateway.nextRecord()).toMatchObject(PRICED)
  })

  it("is held when it is quick, so that its cost stands in its head", async () => {
    const asked = ask()
    ;(await answering).end(JSON_ANSWER)
    const response = await asked
    expect(response.headers.get("x-majordomo-cost")).toBe("0.0003")
    expect(await response.text()).toBe(JSON_ANSWER)
    expect(await gateway.nextRecord()).toMatchObject(PRICED)
  })
})
