import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { addAmounts } from "../../src/operations/usage/allocate.ts"
import { askCharges, DIMENSIONS, metadataDimension, readCharges } from "../../src/reports/index.ts"
import { describeDatabases } from "../support/databases.ts"
import { storeBoth, variedRows } from "./_certificates.ts"

const PERIOD = { since: Date.parse("2026-11-01T00:00:00Z"), until: Date.parse("2026-12-01T00:00:00Z"), tz: "UTC" }

/** What the view says, line by line. */
const BY_HAND = `SELECT l.bucket, sum(l.quantity)::text AS quantity, trim_scale(sum(l.amount))::text AS cost
  FROM llm_requests_full r CROSS JOIN LATERAL jsonb_to_recordset(r.price -> 'lines') AS l (bucket text, quantity numeric, amount numeric)
  WHERE r.total_cost IS NOT NULL AND r.price ->> 'reported' IS NULL GROUP BY l.bucket ORDER BY l.bucket`

describeDatabases("the lines of an invoice", (open) => {
  let opened: Promise<Database> | undefined
  const database = () => (opened ??= open())

  test.each([[[]], [["model"]], [["day", "User-Id"]]])(
    "are the same whether certificates are stored whole or with cards, by %j",
    async (names) => {
      const db = await database()
      const by = names.map((name) => DIMENSIONS[name] ?? metadataDimension(name))
      const question = { by, period: PERIOD, filters: [] } as unknown as Parameters<typeof askCharges>[0]
      const rows = variedRows().map((row, i) => ({ ...row, raw_metadata: { "User-Id": `u${i % 3}` } }))
      const read = async () => readCharges((await db.query(askCharges(question))).rows, question)
      const [whole, carded] = await storeBoth(db, rows, read)
      expect(carded).toEqual(whole)
      expect(whole.length).toBeGreaterThan(5)
      const found = [...new Set(carded.map(({ bucket }) => bucket))].sort().map((bucket) => {
        const charges = carded.filter((each) => each.bucket === bucket)
        return {
          bucket,
          quantity: addAmounts(charges.map(({ quantity }) => quantity)),
          cost: addAmounts(charges.map(({ cost }) => cost)),
        }
      })
      const { rows: expected } = await db.query<(typeof found)[number]>(BY_HAND)
      expect(found).toEqual(expected)
    },
  )
})
