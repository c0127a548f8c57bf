import { appendFile, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { beforeEach, describe, expect, test } from "vitest"
import type { PriceChange, PriceHistoryStore } from "../../src/core/price-history.ts"
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

function create(store?: PriceHistoryStore) {
  return createPriceHistory({ file, store, log: (line) => said.push(line) })
}

/** A database that keeps what it gets, as long as it is not `away`. */
function createStore(stored: PriceChange[] = []) {
  let read = 0
  const state = { away: false, stored }
  const reach = () => {
    if (state.away) throw new Error("no route to the database")
  }
  const store: PriceHistoryStore = {
    readNew: async () => {
      reach()
      const added = stored.slice(read)
      read = stored.length
      return added
    },
    add: async (changes) => {
      reach()
      stored.push(...changes)
    },
  }
  return { store, state }
}

type History = ReturnType<typeof create>

function note(history: History, prices: Readonly<Record<string, unknown>>, seenAt: number, isComplete = true) {
  const seen = Object.entries(prices).map(([model, each]) => ({ provider: "openai", model, prices: each }))
  history.note("litellm", seen, { fetchedAt: seenAt, firstFrom: FIRST, isComplete, isCopy: false })
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
    expect(versionsOf(later).map(({ from }) => from)).toEqual([FIRST, FIRST + 2 * DAY])
  })

  test("takes from the copy of a list on disk only models that it does not have", () => {
    const history = create()
    note(history, { m: 1, gone: 1 }, FIRST + DAY)
    note(history, { m: 2, added: 1 }, FIRST + 5 * DAY)
    const before = ["m", "gone", "added"].map((model) => [...versionsOf(history, model)])
    const old = ["m", "gone", "lost"].map((model) => ({ provider: "openai", model, prices: 1 }))
    const copy = { firstFrom: FIRST, isComplete: true, isCopy: true }
    for (const fetchedAt of [FIRST + 3 * DAY, FIRST + 7 * DAY]) history.note("litellm", old, { fetchedAt, ...copy })

    expect(["m", "gone", "added"].map((model) => versionsOf(history, model))).toEqual(before)
    expect(versionsOf(history, "lost")).toEqual([{ from: FIRST, prices: 1 }])
  })

  test("compares a list with the prices of its own time, also if a gateway with a wrong clock saw later ones", () => {
    const history = create()
    note(history, { m: 1 }, FIRST + DAY)
    note(history, { m: 2 }, FIRST + 500 * DAY)
    note(history, { m: 1 }, FIRST + 2 * DAY)
    expect(versionsOf(history)).toHaveLength(2)
    note(history, { m: 2 }, FIRST + 3 * DAY)
    expect(versionsOf(history).map(({ from }) => from)).toEqual([FIRST, FIRST + 3 * DAY])
  })

  test("does not move a change to the day of a list that a process without the earlier prices has seen", async () => {
    const history = create()
    note(history, { m: 1 }, FIRST + DAY)
    await history.save()
    const ignorant = createPriceHistory({ file, log: (line) => said.push(line) })
    note(ignorant, { m: 2 }, FIRST + 4 * DAY)
    await ignorant.save()

    const later = create()
    await later.load()
    expect(versionsOf(later).map(({ from }) => from)).toEqual([FIRST, FIRST + 4 * DAY])
  })

  test("goes to the database, and the file of an earlier version is moved there once", async () => {
    const line = { from: new Date(FIRST), source: "litellm", provider: "openai", model: "old", prices: 1 }
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${JSON.stringify(line)}\n`)
    const { store, state } = createStore()
    const history = create(store)
    await history.load()
    expect(versionsOf(history, "old")).toHaveLength(1)
    note(history, { m: 1 }, FIRST + DAY, false)
    await history.save()

    expect(state.stored.map(({ model, from, seenAt }) => [model, from, seenAt])).toEqual([
      ["old", FIRST, FIRST],
      ["m", FIRST, FIRST + DAY],
    ])
    expect(await readdir(dirname(file))).toEqual([])
    await history.save()
    expect(state.stored).toHaveLength(2)
    const later = create(createStore(state.stored).store)
    await later.load()
    expect(versionsOf(later)).toEqual(versionsOf(history))
  })

  test("stays in the file while the database is away, also over a restart, and is moved later", async () => {
    const { store, state } = createStore()
    state.away = true
    const history = create(store)
    await history.load()
    note(history, { m: 1 }, FIRST + DAY)
    expect(await history.save()).toBe(false)
    note(history, { m: 2 }, FIRST + 2 * DAY)
    await history.save()
    expect(said).toEqual([expect.stringMatching(/cannot be used: no route to the database; .* kept in a file/)])

    const restarted = create(store)
    await restarted.load()
    expect(versionsOf(restarted)).toEqual(versionsOf(history))
    state.away = false
    await restarted.save()
    expect(state.stored.map(({ prices }) => prices).sort()).toEqual([1, 2])
    expect(await readdir(dirname(file))).toEqual([])
  })

  test("loses nothing if a process ends while it moves the file to the database", async () => {
    const history = create()
    note(history, { m: 1 }, FIRST + DAY)
    await history.save()
    await createHistoryFile({ file, log: () => {} }).take() // and the process ends

    const { store, state } = createStore()
    const next = create(store)
    await next.load()
    expect(versionsOf(next)).toHaveLength(1)
    await next.save()
    expect(state.stored).toHaveLength(1)
    expect(await readdir(dirname(file))).toEqual([])
  })

  test("has what other gateways have stored since, and says whether there was any", async () => {
    const { store, state } = createStore()
    const history = create(store)
    await history.load()
    expect(await history.save()).toBe(false)
    const change = { provider: "openai", model: "m", from: FIRST, seenAt: FIRST, prices: 1 }
    state.stored.push({ ...change, source: "litellm" }, { ...change, source: "a list of a later version" })
    expect(await history.save()).toBe(true)
    expect(versionsOf(history)).toEqual([{ from: FIRST, prices: 1 }])
    expect(await history.save()).toBe(false)
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
    const entries = Array.from({ length: 100 }, (_, index) => ({
      ...entry,
      model: `m${index}`,
      from: FIRST,
      seenAt: FIRST,
    }))
    const small = createHistoryFile({ file, maxBytes: 5000, log: (line) => said.push(line) })
    await small.append(entries)

    const kept = await small.read()

    expect(kept.at(-1)?.model).toBe("m99")
    expect((await readFile(file, "utf8")).length).toBeLessThanOrEqual(2500)
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
