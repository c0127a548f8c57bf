import { join } from "node:path"
import { readAbility } from "../database/ability.ts"
import {
  type Difference,
  type VerifyResult as Ledger,
  type Repair,
  repairRollups,
  verifyLedger,
} from "../database/verify.ts"
import type { Context } from "./context.ts"

interface VerifyInput {
  /** Computes the rollups again where they differ. */
  readonly repair: boolean
  /** Compares all periods, also those that were proven before and have not changed since. */
  readonly all: boolean
}

/** `accepted = written + waiting + rejected + dropped + lost`, in rows. */
export interface VerifyResult extends Omit<Ledger, "differences"> {
  /** No row is lost, the rollups agree with the rows, everything could be read, and new rows will be counted. */
  readonly balanced: boolean
  /** The reasons why the database does not count rows: parts of the schema that are missing or changed, triggers that do not run. */
  readonly schema: readonly string[]
  /** The rollups that differ from the rows, by table and period. */
  readonly differences: readonly VerifyDifference[]
  /** Their days (UTC, `2026-11-28`), and the Mondays of their weeks. */
  readonly wrong_days: readonly string[]
  /** The rollups that were computed again, by table and day. */
  readonly repairs: readonly Repair[]
  /** Their days. */
  readonly repaired_days: readonly string[]
}

interface VerifyDifference {
  readonly table: string
  /** An hour (`2026-11-28T10:00Z`), a day (`2026-11-28`), or the Monday of a week; in UTC. For a limit: the start of its window, or `total`. */
  readonly period: string
  /** The metadata name, for the rollups by metadata; the name of the limit. */
  readonly name: string | null
  readonly counters: readonly string[]
  /** False if the rows of the period were pruned, so that the right numbers are not known. */
  readonly repairable: boolean
}

/** Compares journals, rows and rollups, and repairs the rollups if that is asked for. */
export async function verify(
  { database, settings, onProgress }: Context<"database" | "settings" | "onProgress">,
  { repair, all }: VerifyInput,
): Promise<VerifyResult> {
  const journals = join(settings.storage.dataDir, "journal")
  const { alterations, idleTriggers } = await readAbility(database.query)
  const schema = [...alterations, ...idleTriggers.map((trigger) => `trigger ${trigger} does not run`)]
  const found = await verifyLedger(database, journals, { all, onProgress })
  const repairs = repair ? await repairRollups(database, found.differences, onProgress) : []
  // A repaired period is not proven, so it is compared again.
  const { differences, ...ledger } = repairs.length > 0 ? await verifyLedger(database, journals, { onProgress }) : found
  return {
    balanced: [ledger.unreadable, schema, differences].every(({ length }) => length === 0) && ledger.lost === 0,
    schema,
    ...ledger,
    differences: differences.map(toDifference),
    wrong_days: toDays(differences),
    repairs,
    repaired_days: toDays(repairs),
  }
}

function toDifference({ table, period, name, counters, isPruned }: Difference): VerifyDifference {
  return { table, period, name, counters, repairable: !isPruned }
}

function toDays(items: readonly { readonly day: string }[]): readonly string[] {
  return [...new Set(items.map(({ day }) => day))].sort()
}
