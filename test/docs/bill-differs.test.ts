import { readFileSync } from "node:fs"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { renderReconciliations } from "../../src/cli/reconcile/_causes.ts"
import { toReconciliationObject } from "../../src/operations/reconcile/json.ts"
import { compareBills } from "../../src/reconcile/compare/index.ts"
import { createSource } from "../../src/reconcile/sources/index.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../support/billing-provider.ts"
import { EXAMPLE_RATES, EXAMPLES, toRecordedSide } from "./_differences.ts"

const PAGE = "why-your-bill-differs.md"
const NOW = Date.parse("2026-11-28T12:00:00Z")
const page = readFileSync(new URL(`../../docs/${PAGE}`, import.meta.url), "utf8")

describe(`the examples of docs/${PAGE} are what reconcile prints for a provider that bills so`, () => {
  let provider: BillingProvider
  beforeAll(async () => {
    provider = await startBillingProvider({ now: NOW, rates: EXAMPLE_RATES })
  })
  beforeEach(() => provider.reset())
  afterAll(() => provider?.close())

  test.each(Object.entries(EXAMPLES))("%s", async (name, example) => {
    example.bill(provider)
    const source = createSource(example.provider, {
      credential: ADMIN_KEYS[example.provider],
      baseUrl: provider.origin,
      now: () => NOW,
    })
    const bill = await source.fetchBill({ since: "2026-11-09", until: "2026-11-10" })
    const options = { settledBefore: new Date(NOW), keys: new Map([["key_app", "app"]]) }
    const reconciliation = compareBills(bill, toRecordedSide(example), options)
    const shown = toReconciliationObject(reconciliation, { share: "0.01", usd: "1" })
    const printed = renderReconciliations([shown], { width: 110, color: false, drawing: false })
    expect(printed.trimEnd(), `the example ${name} of the page`).toBe(readExample(name))
  })

  test("the page has no other examples", () => {
    const names = [...page.matchAll(/^<!-- example: (\w+) -->$/gm)].map(([, name]) => name)
    expect(names).toEqual(Object.keys(EXAMPLES))
  })
})

/** Returns the output in the block that follows the name of an example. */
function readExample(name: string): string | undefined {
  const block = `^<!-- example: ${name} -->\n\`\`\`console\n(?:\\$ [^\n]*\n)?([^]*?)\n\`\`\`$`
  return new RegExp(block, "m").exec(page)?.[1]
}
