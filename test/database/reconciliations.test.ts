import { expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import type { Bill, BillLine, Reconciliation } from "../../src/core/reconciliation.ts"
import {
  claimReconcileRun,
  finishReconcileRun,
  listImportedProviders,
  listReconciliations,
  readImportedLines,
  replaceImportedLines,
  writeReconciliation,
} from "../../src/database/reconciliations.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The version before the migration, whatever its number is. */
const BEFORE = readMigrations("migrations").find(({ name }) => name === "reconciliations")!.version - 1
const NOVEMBER = { since: "2026-11-01", until: "2026-12-01" }

const RECONCILIATION: Reconciliation = {
  provider: "openai",
  account: "org-1",
  since: "2026-11-01",
  until: "2026-11-03",
  source: "api",
  fetchedAt: "2026-11-04T06:10:00.000Z",
  billed: "3.5",
  recorded: "3.000000000000000001",
  settling: true,
  causes: [],
  notes: ["The usage of images cannot be read."],
  days: [
    {
      day: "2026-11-01",
      billed: "2.5",
      recorded: "2.000000000000000001",
      settling: false,
      causes: [
        {
          cause: "outside",
          why: "outside",
          amount: "0.499999999999999999",
          quantities: { input: "1000" },
          key: "key_a",
          days: ["2026-11-01"],
          detail: "A key is new.",
        },
      ],
    },
    { day: "2026-11-02", billed: "1", recorded: "1", settling: true, causes: [] },
  ],
}

const line = (day: string, given: Partial<BillLine> = {}): BillLine => ({
  day,
  model: "gemini-3-pro",
  tier: undefined,
  bucket: "input",
  key: undefined,
  project: undefined,
  requests: undefined,
  quantity: "1000000.5",
  listCost: undefined,
  cost: "1.250000000000000001",
  item: "Gemini 3 Pro, input",
  ...given,
})

const aBill = (lines: readonly BillLine[], given: Partial<Bill> = {}): Bill => ({
  provider: "google",
  account: undefined,
  ...NOVEMBER,
  source: "import",
  lines,
  fetchedAt: "2026-11-20T10:00:00.000Z",
  notes: [],
  ...given,
})

describePostgresFirst("stored reconciliations", (open) => {
  test("keep each day with both sides, all digits and the causes; a later comparison replaces a day", async () => {
    const db = await open()
    await writeReconciliation(db.query, RECONCILIATION)
    const list = () => listReconciliations(db.query, { provider: "openai", ...NOVEMBER })
    const { provider, account, source, notes, days } = RECONCILIATION
    const stored = { provider, account, source, notes, fetchedAt: new Date(RECONCILIATION.fetchedAt) }
    expect(await list()).toEqual(days.map((day) => ({ ...stored, ...day })))

    const second = { ...days[1]!, billed: "1.25", settling: false }
    const fetchedAt = "2026-11-05T06:00:00.000Z"
    await writeReconciliation(db.query, { ...RECONCILIATION, fetchedAt, days: [second] })
    expect(await list()).toEqual([
      { ...stored, ...days[0] },
      { ...stored, ...second, fetchedAt: new Date(fetchedAt) },
    ])
    expect(await listReconciliations(db.query, { provider: "anthropic", ...NOVEMBER })).toEqual([])
    expect(await listReconciliations(db.query, { provider: undefined, ...NOVEMBER })).toHaveLength(2)
  })

  test("keep imported lines with all digits; another import replaces the days that it has", async () => {
    const db = await open()
    const read = () => readImportedLines(db.query, { provider: "google", ...NOVEMBER })
    const first = aBill([
      line("2026-11-01"),
      line("2026-11-01", { bucket: "tax", quantity: undefined }),
      line("2026-11-03"),
    ])
    await db.transaction((query) => replaceImportedLines(query, first))
    expect(await read()).toEqual([{ ...first, since: "2026-11-01", until: "2026-11-04" }])

    const fetchedAt = "2026-11-21T10:00:00.000Z"
    const again = aBill([line("2026-11-03", { cost: "2", key: "key_a", requests: 7 })], {
      since: "2026-11-03",
      fetchedAt,
    })
    await db.transaction((query) => replaceImportedLines(query, again))
    expect((await read()).flatMap(({ lines }) => lines)).toEqual([...first.lines.slice(0, 2), ...again.lines])

    await db.transaction((query) => replaceImportedLines(query, aBill([line("2026-11-09")], { account: "billing-2" })))
    expect((await read()).map(({ account, since }) => [account, since])).toEqual([
      [undefined, "2026-11-01"],
      ["billing-2", "2026-11-09"],
    ])
    expect(await listImportedProviders(db.query, NOVEMBER)).toEqual(["google"])
    expect(await listImportedProviders(db.query, { since: "2026-12-01", until: "2027-01-01" })).toEqual([])
  })

  test("a file with tokens and one with costs of the same days complete each other, in any order and number", async () => {
    const db = await open()
    const tokens = line("2026-11-01", { cost: undefined })
    const costs = line("2026-11-01", { quantity: undefined, cost: "3" })
    for (const each of [tokens, costs, tokens, { ...costs, cost: "4" }])
      await db.transaction((query) => replaceImportedLines(query, aBill([each])))
    const [bill] = await readImportedLines(db.query, { provider: "google", ...NOVEMBER })
    expect(bill!.lines).toEqual([tokens, { ...costs, cost: "4" }])
    await db.transaction((query) => replaceImportedLines(query, aBill([line("2026-11-01")])))
    expect((await readImportedLines(db.query, { provider: "google", ...NOVEMBER }))[0]!.lines).toEqual([
      line("2026-11-01"),
    ])
  })

  test("a bill with many lines is stored in several statements", async () => {
    const db = await open()
    const lines = Array.from({ length: 4_500 }, (_, index) => line("2026-11-01", { item: String(index) }))
    await db.transaction((query) => replaceImportedLines(query, aBill(lines)))
    const [bill] = await readImportedLines(db.query, { provider: "google", ...NOVEMBER })
    expect(bill!.lines).toEqual(lines)
  })
})

describePostgresFirst("the daily comparison", (open) => {
  test("is claimed by one gateway, and again only if it has not finished within an hour, or on the next day", async () => {
    const db = await open()
    const dueAt = new Date(Date.now() - 60_000)
    const claim = (due = dueAt) => claimReconcileRun(db, { provider: "openai", dueAt: due })
    const claims = await Promise.all([claim(), claim(), claim()])
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await claimReconcileRun(db, { provider: "anthropic", dueAt })).toBe(true)

    await db.query("UPDATE majordomo_reconcile_runs SET started_at = now() - interval '61 minutes'")
    expect(await claim(new Date(Date.now() - 7_200_000))).toBe(true)
    await finishReconcileRun(db, "openai")
    await db.query("UPDATE majordomo_reconcile_runs SET started_at = now() - interval '61 minutes'")
    expect(await claim(new Date(Date.now() - 7_200_000))).toBe(false)
    expect(await claim(new Date(Date.now() + 60_000))).toBe(true)
  })
})

describePostgresFirst(`a database with rows of version ${BEFORE}`, (open) => {
  test("gets empty tables of comparisons, and keeps its rows", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(BEFORE))
    const id = await insertOldRequest(db)
    expect((await migrate(db)).did).toBe("updated")
    expect((await db.query("SELECT id FROM llm_requests")).rows).toEqual([{ id }])
    for (const table of ["llm_reconciliations", "llm_bill_lines", "majordomo_reconcile_runs"])
      expect((await db.query(`SELECT * FROM ${table}`)).rows).toEqual([])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
