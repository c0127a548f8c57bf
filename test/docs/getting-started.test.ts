import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { isShown, readBlocks, toSteps } from "./_page.ts"
import { startWalk, type Walk } from "./_walk.ts"

describe("every command in docs/getting-started.md prints what the page shows", () => {
  let fakeProvider: FakeProvider
  let walk: Walk

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    walk = await startWalk({
      OPENAI_API_KEY: "sk-test",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
  })
  afterAll(async () => {
    await walk?.end()
    await fakeProvider?.close()
  })

  const blocks = readBlocks("getting-started.md").filter(({ marks }) => marks.has("run"))
  test.each(blocks.map((block) => [block.line, block] as const))("line %i", async (_line, block) => {
    await walk.follow(block)
  })
})

describe("the output of a page is compared", () => {
  test("literally, where … stands for a part of a line, or alone for any lines", () => {
    expect(isShown("a … c", "a b c\n")).toBe(true)
    expect(isShown("a\n…\nd", "a\nb\nc\nd")).toBe(true)
    expect(isShown("a\n…\nd", "a\nd\n")).toBe(true)
    expect(isShown("a … c", "a b d")).toBe(false)
    expect(isShown("a (b)", "a b")).toBe(false)
    expect(isShown("a", "a\nb")).toBe(false)
  })
  test("separately for each command", () => {
    expect(toSteps("$ one \\\n  more\nout\n$ two")).toEqual([
      { command: "one \\\n  more", expected: "out" },
      { command: "two", expected: "" },
    ])
  })
})
