import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { rowAt, sliceRows } from "../../src/kit/spool.ts"
import { aLine, makeDirectory, openTestJournal, range, takeAll } from "./_journal.ts"

const segmentsIn = (dir: string) => readdirSync(dir).filter((name) => name.endsWith(".jsonl"))

describe("lines", () => {
  it("come back in their order, over many segments, whatever the size of a batch", async () => {
    const journal = await openTestJournal(await makeDirectory(), { segmentBytes: 1000 })
    const ids = range(500)
    for (const id of ids) expect(journal.append(aLine(id), id)).toBe("kept")
    expect(journal.waitingLines).toBe(500)
    expect((await takeAll(journal, 700)).ids).toEqual(ids)
    expect([journal.waitingLines, journal.waitingBytes]).toEqual([0, 0])
  })

  it("are read again until they are acknowledged", async () => {
    const journal = await openTestJournal(await makeDirectory())
    journal.append(aLine("a"))
    const first = (await journal.read(1000))!.array!.toString()
    expect((await journal.read(1000))!.array!.toString()).toBe(first)
    expect(journal.waitingLines).toBe(1)
  })

  it("longer than a batch come alone and whole", async () => {
    const journal = await openTestJournal(await makeDirectory())
    const long = aLine("long", "ü".repeat(200_000))
    for (const line of [aLine("a"), long, aLine("b")]) journal.append(line)
    expect((await takeAll(journal, 1000)).ids).toEqual(["a", "long", "b"])
  })

  it("can be told apart in a batch, alone and in parts, with begin lines between them", async () => {
    const journal = await openTestJournal(await makeDirectory())
    const lines = range(5).map((id) => aLine(id))
    for (const line of lines) {
      journal.begin(aLine(`begun-${line.length}`), "b")
      journal.append(line)
    }
    const batch = (await journal.read(10_000))!
    expect(lines.map((_, i) => rowAt(batch, i).toString())).toEqual(lines)
    expect(sliceRows(batch, 1, 3).toString()).toBe(`[${lines[1]},${lines[2]}]`)
    expect(sliceRows(batch, 4, 5).toString()).toBe(`[${lines[4]}]`)
  })

  it("are JSON lines in files of this user alone", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(join(dir, "journal"))
    journal.begin(aLine("a"), "a")
    journal.append(aLine("a"), "a")
    const file = join(dir, "journal", "000000000001.jsonl")
    expect(readFileSync(file, "utf8")).toBe('{"begin":{"id":"a","text":"x"}}\n{"id":"a","text":"x"}\n')
    expect([statSync(file).mode & 0o777, statSync(join(dir, "journal")).mode & 0o777]).toEqual([0o600, 0o700])
  })

  it("beyond the limit are refused, and are kept again as soon as there is room", async () => {
    const journal = await openTestJournal(await makeDirectory(), { maxBytes: 10_000 })
    let kept = 0
    while (journal.append(aLine(`n${kept}`)) === "kept") kept++
    expect(journal.append(aLine("late"))).toBe("full")
    expect(journal.bytes).toBeLessThanOrEqual(10_000)
    expect(journal.bytes).toBeGreaterThan(9900)
    const batch = (await journal.read(5000))!
    journal.ack(batch)
    await journal.read(5000)
    expect(journal.append(aLine("now"))).toBe("kept")
  })
})

describe("files", () => {
  it("whose lines are taken away are deleted, and after a clean end nothing is left but the cursor", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir, { segmentBytes: 1000 })
    for (const id of range(200)) journal.append(aLine(id))
    expect(segmentsIn(dir).length).toBeGreaterThan(3)
    await takeAll(journal)
    await expect.poll(() => segmentsIn(dir).length).toBe(1)
    await journal.close()
    expect(readdirSync(dir)).toEqual(["cursor.json"])
  })

  it("that vanish take their own lines with them and no others, and that is said", async () => {
    const dir = await makeDirectory()
    const troubles: string[] = []
    const journal = await openTestJournal(dir, {
      segmentBytes: 1000,
      onError: (_, doing) => troubles.push(doing),
    })
    for (const id of range(200)) journal.append(aLine(id))
    await journal.close()
    const again = await openTestJournal(dir, { onError: (_, doing) => troubles.push(doing) })
    const gone = readFileSync(join(dir, "000000000002.jsonl"), "utf8").trim().split("\n").length
    rmSync(join(dir, "000000000002.jsonl"))
    expect((await takeAll(again)).ids.length).toBe(200 - gone)
    expect(again.waitingLines).toBe(0)
    expect(troubles).toEqual([`reading a journal file of ${gone} waiting rows`])
  })

  it("may lose their directory: what is written is still taken away, and a new segment makes it again", async () => {
    const dir = join(await makeDirectory(), "journal")
    const journal = await openTestJournal(dir, { segmentBytes: 1000, onError: () => {} })
    journal.append(aLine("before"))
    rmSync(dir, { recursive: true })
    for (const id of range(100)) expect(journal.append(aLine(id))).toBe("kept")
    expect((await takeAll(journal)).ids).toEqual(["before", ...range(100)])
  })

  it("are released with the lock when the journal closes", async () => {
    const dir = await makeDirectory()
    const steps: string[] = []
    const lock = async (path: string) => {
      steps.push(`lock ${path === dir}`)
      return { release: async () => void steps.push("release") }
    }
    const journal = await openTestJournal(dir, { lock })
    await journal.close()
    expect(steps).toEqual(["lock true", "release"])
    expect(journal.append(aLine("late"))).toBe("failed")
  })
})

describe("the next process", () => {
  it("reads what was left, and after the cursor only", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir, { segmentBytes: 1000 })
    for (const id of range(100)) journal.append(aLine(id))
    const batch = (await journal.read(2000))!
    journal.ack(batch)
    await journal.close()
    const next = await openTestJournal(dir)
    expect(next.replayedLines).toBe(100 - batch.lines)
    next.append(aLine("new"))
    expect((await takeAll(next)).ids).toEqual([...range(100).slice(batch.lines), "new"])
  })

  it.each([
    ["is lost", (file: string) => rmSync(file)],
    ["is not JSON", (file: string) => writeFileSync(file, "\0\0\0")],
    ["points into the middle of a line", (file: string) => writeFileSync(file, '{"segment":1,"offset":7}')],
    ["points behind the end of its file", (file: string) => writeFileSync(file, '{"segment":1,"offset":99999}')],
    ["points at a file that is not there", (file: string) => writeFileSync(file, '{"segment":77,"offset":5}')],
  ])("reads everything again when the cursor %s", async (_, damage) => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir)
    for (const id of range(10)) journal.append(aLine(id))
    journal.ack((await journal.read(60))!)
    await journal.close()
    damage(join(dir, "cursor.json"))
    const next = await openTestJournal(dir)
    next.append(aLine("new"))
    expect((await takeAll(next)).ids).toEqual([...range(10), "new"])
  })

  it("passes over a torn last line, an empty file and foreign files", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir)
    for (const id of range(3)) journal.append(aLine(id))
    await journal.close()
    appendFileSync(join(dir, "000000000001.jsonl"), '{"id":"torn","te')
    writeFileSync(join(dir, "000000000002.jsonl"), "")
    writeFileSync(join(dir, "notes.txt"), "keep me")
    const next = await openTestJournal(dir)
    next.append(aLine("new"))
    expect(await takeAll(next)).toEqual({ ids: [...range(3), "new"], broken: [] })
    expect(readFileSync(join(dir, "notes.txt"), "utf8")).toBe("keep me")
  })

  it("[LOG-06] sets a broken line apart from its neighbours", async () => {
    const dir = await makeDirectory()
    writeFileSync(join(dir, "000000000001.jsonl"), `${aLine("a")}\n\0\0\0\0\n\n{"id":"torn","te\n${aLine("b")}\n`)
    const journal = await openTestJournal(dir)
    expect(journal.replayedLines).toBe(4)
    expect(await takeAll(journal)).toEqual({ ids: ["a", "b"], broken: ["\0\0\0\0", '{"id":"torn","te'] })
    expect(journal.waitingLines).toBe(0)
  })

  it("settles the lines of a file that became shorter while it was read", async () => {
    const dir = await makeDirectory()
    writeFileSync(
      join(dir, "000000000001.jsonl"),
      range(100)
        .map((id) => `${aLine(id)}\n`)
        .join(""),
    )
    const journal = await openTestJournal(dir)
    truncateSync(join(dir, "000000000001.jsonl"), 500)
    journal.append(aLine("new"))
    expect((await takeAll(journal, 100)).ids.at(-1)).toBe("new")
    expect(journal.waitingLines).toBe(0)
  })
})

describe("begun work", () => {
  it("without an end is known to the next process, with an end it is not", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir)
    for (const id of ["done", "died", "torn"]) journal.begin(aLine(id), id)
    journal.append(aLine("done"), "done")
    await journal.close()
    appendFileSync(join(dir, "000000000001.jsonl"), aLine("torn").slice(0, -3))
    const next = await openTestJournal(dir)
    expect(next.unended).toEqual([aLine("died"), aLine("torn")])
    expect(next.lastWriteMs).toBeGreaterThan(Date.now() - 60_000)
    expect((await takeAll(next)).ids).toEqual(["done"])
  })

  it("is remembered when the segment of its begin line is deleted, and for ever until it ends", async () => {
    const dir = await makeDirectory()
    let journal = await openTestJournal(dir, { segmentBytes: 1000 })
    journal.begin(aLine("long-lived"), "long-lived")
    for (let round = 0; round < 3; round++) {
      for (const id of range(100)) journal.append(aLine(id))
      await takeAll(journal)
      await expect.poll(() => segmentsIn(dir).length).toBeLessThan(3)
      await journal.close()
      journal = await openTestJournal(dir, { segmentBytes: 1000 })
      expect(journal.unended).toEqual([aLine("long-lived")])
    }
    journal.append(aLine("long-lived"), "long-lived")
    await journal.close()
    expect((await openTestJournal(dir)).unended).toEqual([])
  })

  it("of which there is more than a segment holds does not keep the reader from coming to an end", async () => {
    const dir = await makeDirectory()
    const journal = await openTestJournal(dir, { segmentBytes: 300 })
    for (const id of range(50)) journal.begin(aLine(id), id)
    for (const id of range(50, "row")) journal.append(aLine(id))
    expect((await takeAll(journal)).ids).toEqual(range(50, "row"))
    await journal.close()
    const { unended } = await openTestJournal(dir)
    expect(unended.toSorted()).toEqual(
      range(50)
        .map((id) => aLine(id))
        .toSorted(),
    )
  })

  it("is never given to the reader", async () => {
    const journal = await openTestJournal(await makeDirectory(), { segmentBytes: 500 })
    for (const id of range(100)) {
      journal.begin(aLine(id), id)
      if (Number(id) % 2) journal.append(aLine(id), id)
    }
    expect(journal.waitingLines).toBe(50)
    expect((await takeAll(journal, 300)).ids).toEqual(range(100).filter((id) => Number(id) % 2))
  })
})
