import { CommandError } from "../../core/errors.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { openForOperation } from "../open/database.ts"
import { openPrices } from "../open/prices.ts"
import { listRecordedAttention } from "../status/attention.ts"
import { readFacts } from "../status/facts.ts"
import { type Finding, toRecordFindings } from "./finding.ts"

const WELL = "no rows, budgets, notifications, bills, days of the archive or keys need attention"

/** Checks what the database and the journals have: rows, spending, notifications, bills, the archive and keys. */
export async function checkRecords({ settings, log }: Context<"settings" | "log">): Promise<Finding[]> {
  try {
    const database = await openForOperation({ settings, log: () => {} })
    try {
      if ((await readSchemaState(database.query)).kind === "none") return []
      const prices = await openPrices({ settings, database, log })
      const context = { settings, database, prices, now: Date.now }
      const attention = await listRecordedAttention(context, await readFacts(context)).finally(() => prices.close())
      return toRecordFindings(attention, WELL)
    } finally {
      await database.close()
    }
  } catch (error) {
    // The check of the database says what is wrong with it.
    if (error instanceof CommandError) return []
    throw error
  }
}
