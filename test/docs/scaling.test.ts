import { readFileSync } from "node:fs"
import { expect, test } from "vitest"

const { INPUTS, plan, toScalingTable } = await import(new URL("../../scripts/_scaling-model.mjs", import.meta.url).href)

test("the model of docs/scaling.md is the generated one (node scripts/scaling-table.mjs)", () => {
  const page = readFileSync(new URL("../../docs/scaling.md", import.meta.url), "utf8")
  expect(page).toContain(`<!-- model -->\n${toScalingTable()}\n<!-- /model -->`)
})

test("twice the requests need at most twice of everything, and a gateway more than the CPU says", () => {
  const [one, two] = [plan(1000), plan(2000)]
  expect(two.gateways).toBeLessThanOrEqual(2 * one.gateways)
  expect(two.diskGb).toBeCloseTo(2 * one.diskGb)
  const busy = (1000 * (INPUTS.jsonMicros + INPUTS.streams * INPUTS.pieces * INPUTS.pieceMicros)) / 1e6
  expect(one.gateways).toBe(Math.ceil(busy / INPUTS.utilization) + 1)
})
