import { readFileSync } from "node:fs"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { compareBills } from "../../src/reconcile/compare/index.ts"
import { createSource } from "../../src/reconcile/sources/index.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../support/billing-provider.ts"
import { EXAMPLE_RATES, EXAMPLES, toRecordedSide } from "./_differences.ts"

const PAGE = "why-your-bill-differs.md"
const NOW = Date.parse("2026-11-28T12:00:00Z")
const page = readFileSync(new URL(`../../docs/${PAGE}`, import.meta.url), "utf8")

describe(`the examples of docs/${PAGE} show what is found for a provider that bills so`, () => {
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
    const { billed, recorded, causes } = compareBills(bill, toRecordedSide(example), options)
    const shown = readExample(name)
    expect(shown).toContain(`${example.provider} billed ${toUsd(billed)} recorded ${toUsd(recorded)} `)
    for (const { amount, detail, advice } of causes) {
      expect(shown).toContain(`${toUsd(amount)} `)
      expect(shown).toContain(advice === undefined ? detail : `${detail} ${advice}`)
    }
    // Each cause has one amount, and what stays unexplained is shown even if it is nothing.
    const hasRest = causes.some(({ cause }) => cause === "unexplained")
    expect(shown.includes("$0.00 unexplained")).toBe(!hasRest)
  })

  test("the page has no other examples", () => {
    const names = [...page.matchAll(/^<!-- example: (\w+) -->$/gm)].map(([, name]) => name)
    expect(names).toEqual(Object.keys(EXAMPLES))
  })
})

/** Returns the output in the block that follows the name of an example, on one line. */
function readExample(name: string): string {
  const block = new RegExp(`^<!-- example: ${name} -->\\n\`\`\`console\\n([^]*?)\\n\`\`\`$`, "m").exec(page)?.[1]
  return (block ?? "").replaceAll(/\s+/g, " ")
}

/** `1204.33` is `$1,204.33`, and `-2.5` is `-$2.50`. */
function toUsd(amount: string): string {
  const [whole = "0", fraction = ""] = amount.replace("-", "").split(".")
  return `${amount.startsWith("-") ? "-" : ""}$${Number(whole).toLocaleString("en-US")}.${fraction.padEnd(2, "0")}`
}
