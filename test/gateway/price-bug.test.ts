import { expect, test } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

test("[SHU-08] a price that throws costs the request its price, not its row nor its answer", async () => {
  const far = await startFakeProvider()
  const gateway = await startPipeline({
    upstream: far.origin,
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
  await expect(gateway.close()).rejects.toThrow("a bug in pricing") // what was logged
  await far.close()
})
