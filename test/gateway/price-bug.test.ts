import { expect, test } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

test("[SHU-08] if pricing throws, the request has no price, but its row and its answer", async () => {
  const fakeProvider = await startFakeProvider()
  const gateway = await startPipeline({
    upstream: fakeProvider.origin,
    price: () => {
      throw new Error("a bug in pricing")
    },
  })
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [] }),
  })
  expect(response.status).toBe(200)
  expect(response.headers.get("x-majordomo-cost-status")).toBe("unpriced")
  await response.arrayBuffer()
  expect(await gateway.nextRecord()).toMatchObject({ status_code: 200, cost_status: "unpriced", total_cost: undefined })
  await expect(gateway.close()).rejects.toThrow("a bug in pricing") // the error that was reported
  await fakeProvider.close()
})
