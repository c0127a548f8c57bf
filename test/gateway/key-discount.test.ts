import { expect, test } from "vitest"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import { startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

test("a request of a key with a discount costs that much less, and its row says which discount was applied", async () => {
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  const fakeProvider = await startFakeProvider()
  const costOf = async (discountFactor?: string) => {
    const gateway = await startPipeline({
      upstream: fakeProvider.origin,
      price: book.price,
      deps: { findCaller: () => ({ keyId: "00000000-0000-7000-8000-000000000001", discountFactor }) },
    })
    const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-majordomo-key": KEY },
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [] }),
    })
    await response.arrayBuffer()
    const record = await gateway.nextRecord()
    await gateway.close()
    return { header: Number(response.headers.get("x-majordomo-cost")), record }
  }
  const full = await costOf()
  const reduced = await costOf("0.75")
  await fakeProvider.close()
  book.close()

  expect(reduced.header).toBeCloseTo(full.header * 0.75, 12)
  expect(Number(reduced.record.total_cost)).toBe(reduced.header)
  expect(reduced.record).toMatchObject({
    cost_status: "exact",
    price: { factors: [{ name: "key discount", value: "0.75" }] },
  })
  expect(full.record.price).not.toHaveProperty("factors")
})
