import { expect, test } from "vitest"
import type { Database, RunQuery } from "../../src/database/_database.ts"
import { createReopening } from "../../src/database/reopening.ts"

const GONE = Object.assign(new Error("connect ENOENT"), { code: "ENOENT" })

/** Creates a function that opens databases. Each one answers with its number until its connection is lost. */
function createOpener() {
  const opened: { number: number; isGone: boolean; closes: number }[] = []
  let canOpen = true
  const open = async (): Promise<Database> => {
    if (!canOpen) throw new Error("held by another")
    const state = { number: opened.length, isGone: false, closes: 0 }
    opened.push(state)
    const query = (async () => {
      if (state.closes > 0) throw new Error("Cannot use a pool after calling end on the pool")
      if (state.isGone) throw GONE
      return { rows: [state.number], rowCount: 1 }
    }) as RunQuery
    return {
      kind: "embedded",
      title: "embedded",
      query,
      transaction: (work) => work(query),
      listen: () => Promise.reject(new Error("not here")),
      close: async () => void state.closes++,
    }
  }
  const allow = (can: boolean) => {
    canOpen = can
  }
  return { open, opened, allow }
}

const rowOf = async (database: Database) => (await database.query("SELECT 1")).rows[0]

test("when the connection is lost, the next statement opens the database again, once for all waiting statements", async () => {
  const { open, opened } = createOpener()
  const database = await createReopening(open)
  expect(await rowOf(database)).toBe(0)
  opened[0]!.isGone = true
  expect(await Promise.all([rowOf(database), rowOf(database), rowOf(database)])).toEqual([1, 1, 1])
  expect(opened.map(({ closes }) => closes)).toEqual([1, 0])
  await database.close()
  expect(opened.map(({ closes }) => closes)).toEqual([1, 1])
})

test("when opening fails, the next statement tries again, and nothing is closed twice", async () => {
  const { open, opened, allow } = createOpener()
  const database = await createReopening(open)
  opened[0]!.isGone = true
  allow(false)
  await expect(rowOf(database)).rejects.toThrow("held by another")
  await expect(rowOf(database)).rejects.toThrow("held by another")
  allow(true)
  expect(await rowOf(database)).toBe(1)
  expect(opened.map(({ closes }) => closes)).toEqual([1, 0])
  await database.close()
})

test("a database that could not be opened again can be closed", async () => {
  const { open, opened, allow } = createOpener()
  const database = await createReopening(open)
  opened[0]!.isGone = true
  allow(false)
  await expect(rowOf(database)).rejects.toThrow("held by another")
  await database.close()
  expect(opened[0]!.closes).toBe(1)
})
