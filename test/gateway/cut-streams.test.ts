import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { Countable, Reading } from "../../src/core/usage.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const CHUNK = { model: "gpt-4o-mini-2024-07-18", choices: [{ delta: { content: "hello world" } }] }
const upstream = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(`data: ${JSON.stringify(CHUNK)}\n\n`, () => response.socket?.end())
})
let count: (countable: Countable) => Promise<Reading | undefined>
let gateway: Pipeline

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  gateway = await startPipeline({
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    countText: (countable) => count(countable),
  })
})
afterAll(async () => {
  await gateway.close()
  upstream.close()
})

async function cutOff() {
  const answer = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: JSON.stringify({ model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content: "hi" }] }),
  })
  await expect(answer.text()).rejects.toThrow()
}

test("the row of an interrupted stream is stored when the tokenizer has counted its text", async () => {
  let finish = () => {}
  const counted = new Promise<void>((resolve) => {
    finish = resolve
  })
  count = async (countable) => {
    await counted
    return countable.toReading({ input: 8, output: 2 })
  }
  await cutOff()
  expect(gateway.records).toEqual([])
  finish()
  expect(await gateway.nextRecord()).toMatchObject({
    input_tokens: 8,
    output_tokens: 2,
    usage_source: "estimated",
    outcome: "upstream_broke",
    usage: { estimated_from_text: { tokenizer: "o200k_base" } },
  })
})

test("without a tokenizer the row has an estimate by length", async () => {
  count = async () => undefined
  await cutOff()
  expect(await gateway.nextRecord()).toMatchObject({
    usage_source: "estimated",
    usage: { estimated_from_text: { tokenizer: "characters", output_tokens: 3 } },
  })
})
