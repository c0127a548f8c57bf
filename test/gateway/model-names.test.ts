import { afterAll, beforeAll, expect, test } from "vitest"
import { exchange, request } from "../matrix/_raw.ts"
import { type OddUpstream, startOddUpstream } from "../support/odd-upstream.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"

let upstream: OddUpstream
let gateway: Pipeline
let answer = ""
beforeAll(async () => {
  upstream = await startOddUpstream((socket) => socket.write(answer))
  gateway = await startPipeline({ upstream: upstream.origin })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

async function ask(model: string, status: number) {
  answer = `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\n{}`
  await exchange(gateway.port, request("", { body: JSON.stringify({ model, messages: [] }) }))
  return gateway.nextRecord()
}

test("[S11] invented names of models make at most a hundred sums a day, and hide no model that answers", async () => {
  await ask("real", 200)
  const models = new Set<string>()
  for (let i = 0; i < 120; i++) {
    const row = await ask(`invented-${i}`, 404)
    expect(row.requested_model).toBe(`invented-${i}`)
    models.add(row.model)
  }
  expect(models.size).toBe(101)
  expect(models).toContain("(other)")
  expect((await ask("real", 404)).model).toBe("real")
  expect((await ask("another", 200)).model).toBe("another")
})
