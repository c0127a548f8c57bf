import { Worker } from "node:worker_threads"
import { describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../../src/core/decimal.ts"
import { CsvReader } from "../../../src/kit/csv.ts"
import { createRandom, type Random } from "../../providers/_random.ts"
import { isThorough } from "../../support/thorough.ts"
import { readBytes } from "./_read.ts"

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed + 1)
/** What cells are made of: all that has a meaning in a file, and characters of several bytes. */
const PIECES = ["a", "1", " ", ",", ";", '"', '""', "\n", "\r\n", "\r", "é", "𝄞", "€"]

describe("whatever the cells, and whatever the pieces of a file", () => {
  test("cells that were quoted are read back", () => {
    for (const seed of SEEDS) {
      const random = createRandom(seed)
      const records = many(random, 20, () => many(random, 5, () => many(random, 6, () => random.one(PIECES)).join("")))
      const text = records.map((cells) => `${cells.map((cell) => quote(random, cell)).join(",")}\r\n`).join("")
      const expected = records.filter((cells) => cells.length > 1 || cells[0] !== "")
      expect(readInPieces(text, random), `seed ${seed}`).toEqual(expected)
    }
  })

  test("the same lines are read, and their sums are exact", async () => {
    for (const seed of SEEDS) {
      const random = createRandom(seed)
      const { text, sums } = createFile(random)
      const bytes = new TextEncoder().encode(text)
      const whole = await readBytes(bytes, { provider: "acme" })
      expect(await readBytes(bytes, { provider: "acme" }, 1 + random.below(40)), `seed ${seed}`).toEqual(whole)
      const read = whole.lines.map(({ day, model, cost }) => [`${day} ${model}`, cost])
      expect(Object.fromEntries(read), `seed ${seed}`).toEqual(sums)
    }
  })
})

test("the memory does not grow with the file", async () => {
  const rows = isThorough ? 1_000_000 : 150_000
  // 150,000 rows are 25 MB.
  const worker = new Worker(new URL("_many-rows.mjs", import.meta.url), {
    workerData: rows,
    execArgv: ["--import", new URL("../../../bench/_typescript.mjs", import.meta.url).href],
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 8 },
  })
  const lines = await new Promise<readonly (readonly [string, string, string, string])[]>((resolve, reject) => {
    worker.once("message", resolve)
    worker.once("error", reject)
  })
  // Days with an even number of rows have only one kind of tokens.
  expect(lines).toHaveLength(30)
  const total = lines.reduce((sum, [, , , cost]) => sum + parseDecimal(cost), 0n)
  expect(formatDecimal(total)).toBe(formatDecimal(parseDecimal("0.0000000003") * BigInt(rows)))
  expect(lines[0]).toEqual(["2026-11-01", "input", String(rows / 30), formatDecimal(total / 30n)])
})

/** A file with a line per day and model, some of its rows in other notations, and the sums of their costs. */
function createFile(random: Random): { readonly text: string; readonly sums: Readonly<Record<string, string>> } {
  const delimiter = random.one([",", ";", "\t"])
  const sums = new Map<string, bigint>()
  const rows = many(random, 60, () => {
    const day = `2026-11-${String(1 + random.below(28)).padStart(2, "0")}`
    const model = random.one(["gpt-5", "claude, the model", 'a "quoted" one', "zwei\nZeilen"])
    const value =
      BigInt(random.below(1_000_000_000)) * (random.below(5) === 0 ? -1n : 1n) * 10n ** BigInt(random.below(13))
    sums.set(`${day} ${model}`, (sums.get(`${day} ${model}`) ?? 0n) + value)
    return [day, model, formatDecimal(value)].map((cell) => `"${cell.replaceAll('"', '""')}"`).join(delimiter)
  })
  // A number that can be read one way only shows how the others are written.
  const shown = ["2026-11-30", "gpt-5", "0.5"].join(delimiter)
  sums.set("2026-11-30 gpt-5", parseDecimal("0.5"))
  const text = [["date", "model", "cost"].join(delimiter), ...rows, shown].join(random.one(["\n", "\r\n"]))
  return { text, sums: Object.fromEntries([...sums].map(([key, value]) => [key, formatDecimal(value)])) }
}

function readInPieces(text: string, random: Random): string[][] {
  const reader = new CsvReader(",")
  const records: string[][] = []
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + random.below(12)
    for (const { cells } of reader.read(text.slice(at, end), end >= text.length)) records.push([...cells])
    at = end
  }
  return records
}

/** A cell may stand without quotes if it has nothing that needs them. */
function quote(random: Random, cell: string): string {
  const isPlain = !/[",\r\n]/.test(cell)
  return isPlain && random.below(2) === 0 ? cell : `"${cell.replaceAll('"', '""')}"`
}

function many<T>(random: Random, most: number, create: () => T): T[] {
  return Array.from({ length: 1 + random.below(most) }, create)
}
