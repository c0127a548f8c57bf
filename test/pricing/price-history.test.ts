import { appendFile, mkdtemp, readFile, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, describe, expect, test } from "vitest"
import { createHistoryFile } from "../../src/pricing/history-file.ts"
import { createPriceHistory, findVersion } from "../../src/pricing/price-history.ts"

const DAY = 86_400_000
const FIRST = Date.parse("2026-11-01")

let file: string
let said: string[]
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), "history-")), "deep", "price-history.jsonl")
  said = []
})

function create() {
  return createPriceHistory({ file, log: (line) => said.push(line) })
}

type History = ReturnType<typeof create>

function note(history: History, prices: Readonly<Record<string, unknown>>, seenAt: number, isComplete = true) {
  const seen = Object.entries(prices).map(([model, each]) => ({ provider: "openai", model, prices: each }))
  history.note("litellm", seen, { seenAt, firstFrom: FIRST, isComplete })
}

const versionsOf = (history: History, model = "m") => history.versionsOf("litellm", "openai", model)

describe("the history of prices", () => {
  test("has the first prices from the day of their list, and changes from the time at which they were seen", () => {
    const history = create()
    note(history, { m: { input: 1 } }, FIRST + DAY)
    note(history, { m: { input: 1 } }, FIRST + 2 * DAY)
    note(history, { m: { input: 2 } }, FIRST + 3 * DAY)

    const versions = versionsOf(history)
    expect(versions).toEqual([
      { from: FIRST, prices: { input: 1 } },
      { from: FIRST + 3 * DAY, prices: { input: 2 } },
    ])
    expect(findVersion(versions, FIRST + 3 * DAY - 1)?.prices).toEqual({ input: 1 })
    expect(findVersion(versions, FIRST + 3 * DAY)?.prices).toEqual({ input: 2 })
    expect(findVersion(versions, FIRST - 1)).toBeUndefined()
  })

  test("does not take a list of a later day for a change of its prices", () => {
    const history = create()
    note(history, { m: { a: 1, b: 2 } }, FIRST + DAY)
    note(history, { m: { b: 2, a: 1 } }, FIRST + 9 * DAY)
    expect(versionsOf(history)).toHaveLength(1)
  })

  test("remembers that a model is no longer listed, and what it cost before", () => {
    const history = create()
    note(history, { m: 1, n: 1 }, FIRST + DAY)
    note(history, { n: 1 }, FIRST + 2 * DAY)
    expect(versionsOf(history).map(({ prices }) => prices)).toEqual([1, null])
    expect(versionsOf(history, "n")).toHaveLength(1)
  })

  test("is the same after a restart", async () => {
    const history = create()
    note(history, { "a/b": 1 }, FIRST + DAY)
    await history.save()
    note(history, { "a/b": 2 }, FIRST + 2 * DAY)
    await history.save()

    const later = create()
    await later.load()
    expect(versionsOf(later, "a/b")).toEqual(versionsOf(history, "a/b"))
    expect(later.modelsOf("litellm")).toEqual([{ provider: "openai", model: "a/b" }])
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test("of two processes in one data directory keeps the time of the one that saw a change first", async () => {
    const [one, other] = [create(), create()]
    note(one, { m: 1 }, FIRST + DAY)
    await one.save()
    await other.load()
    note(other, { m: 2 }, FIRST + 2 * DAY)
    note(one, { m: 2 }, FIRST + 3 * DAY)
    await other.save()
    await one.save()

    const later = create()
    await later.load()
    for (const history of [one, later]) {
      expect(versionsOf(history).map(({ from }) => from)).toEqual([FIRST, FIRST + 2 * DAY])
    }
  })

  test("reads the good lines of a damaged file, and logs how many are damaged", async () => {
    const history = create()
    note(history, { m: 1 }, FIRST)
    await history.save()
    await appendFile(file, '{"from":"soon","source":"litellm","provider":"a","model":"b","prices":1}\n{"from"')

    const later = create()
    await later.load()
    expect(versionsOf(later)).toHaveLength(1)
    expect(said).toEqual([expect.stringContaining("2 lines of")])
  })

  test("is tried again with the next list if it cannot be stored", async () => {
    const history = createPriceHistory({ file: "/dev/null/history.jsonl", log: (line) => said.push(line) })
    note(history, { m: 1 }, FIRST)
    await history.save()
    await history.save()
    expect(said).toHaveLength(2)
    expect(said[0]).toContain("could not be saved")
  })

  test("counts the changes until a time, so that prices can be cached between them", () => {
    const history = create()
    note(history, { m: 1, n: 1 }, FIRST)
    note(history, { m: 2, n: 2 }, FIRST + DAY)
    expect([FIRST - 1, FIRST, FIRST + DAY - 1, FIRST + DAY].map(history.changesUntil)).toEqual([0, 1, 1, 2])
  })

  test("does not grow without limit: a file that is too large loses its oldest lines", async () => {
    const entry = { source: "litellm" as const, provider: "openai", prices: { input_mtok: 1 } }
    const entries = Array.from({ length: 100 }, (_, index) => ({ ...entry, model: `m${index}`, from: FIRST }))
    const small = createHistoryFile({ file, maxBytes: 5000, log: (line) => said.push(line) })
    await small.append(entries)

    const kept = await small.read()

    expect(kept.at(-1)?.model).toBe("m99")
    expect((await readFile(file, "utf8")).length).toBeLessThanOrEqual(2500)
    expect(await small.readNew()).toEqual([])
    expect(said).toEqual([])
  })

  test("of a file that is missing or empty is empty", async () => {
    const history = create()
    await history.load()
    await history.save()
    expect(versionsOf(history)).toEqual([])
    expect(said).toEqual([])
    await expect(writeFile(file, "")).rejects.toThrow("ENOENT")
  })
})
