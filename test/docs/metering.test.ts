import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { until, untilFound } from "../support/until.ts"
import { readBlocks } from "./_page.ts"

const PAGE = "metering-and-pricing.md"
const lines = readFileSync(new URL(`../../docs/${PAGE}`, import.meta.url), "utf8").split("\n")

interface Row {
  readonly id: string
  readonly total_cost: string | null
  readonly cost_status: string
  readonly price: { readonly lines: readonly Record<string, unknown>[] }
}

describe("the gateway computes the examples of docs/metering-and-pricing.md", () => {
  let fakeProvider: FakeProvider
  let installation: Installation
  let gateway: RunningGateway
  let key: string

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    installation = createInstallation({
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    gateway = await installation.serve()
    key = /mdm_sk_[\w-]+/.exec(await untilFound(() => gateway.stdout.includes("mdm_sk_") && gateway.stdout))![0]
  })
  afterAll(async () => {
    await installation?.remove()
    await fakeProvider?.close()
  })

  const blocks = readBlocks(PAGE).filter(({ marks }) => marks.has("run"))
  test.each(blocks.map((block) => [block.marks.get("model")!, block] as const))("%s", async (model, block) => {
    fakeProvider.next({ body: block.text })
    const answer = await fetch(`${gateway.origin}${block.marks.get("path")}`, {
      method: "POST",
      headers: { "x-majordomo-key": key, "content-type": "application/json", authorization: "Bearer sk-test" },
      body: JSON.stringify({ model, max_tokens: 1, messages: [], input: "x", contents: [] }),
    })
    const id = answer.headers.get("x-majordomo-request-id")!
    const row = await until(async () => (await installation.runJson(["usage", "request", id])) as Row, 200)
    const { table, total, status } = readResult(block.line)
    const found = row.price.lines.map(({ bucket, quantity, rate, factor, amount }) =>
      [bucket, quantity, rate, factor, amount].map(String),
    )
    expect(found).toEqual(table)
    expect(row.cost_status).toBe(status)
    if (total === "NULL") expect(row.total_cost).toBeNull()
    else expect(Number(row.total_cost)).toBe(Number(total))
  })
})

/** Reads the table and the last line after an example. */
function readResult(line: number): {
  readonly table: readonly string[][]
  readonly total: string
  readonly status: string
} {
  const end = lines.findIndex((text, at) => at >= line && text.startsWith("`total_cost` "))
  const [, total = "", status = ""] = /^`total_cost` (\S+), `cost_status` (\w+)\.$/.exec(lines[end]!) ?? []
  const rows = lines.slice(line, end).filter((text) => text.startsWith("| `"))
  const table = rows.map((text) =>
    text
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  )
  return { table, total, status }
}
