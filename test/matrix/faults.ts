import { existsSync, readFileSync } from "node:fs"
import { LEDGER_FAULTS } from "./ledger-faults.ts"
import { MONEY_FAULTS } from "./money-faults.ts"
import { OPERATING_FAULTS } from "./operating-faults.ts"
import { SECURITY_FAULTS } from "./security-faults.ts"

/**
 * The rules that a fault broke. Each has the tests that hold it: the file below `test`, a colon, and the name as it stands
 * in the file.
 */
type Rules = Readonly<Record<string, readonly string[]>>

/** The faults that were found in the running program, by their id. */
export const FAULTS: Readonly<Record<string, Rules>> = {
  ...LEDGER_FAULTS,
  ...MONEY_FAULTS,
  ...SECURITY_FAULTS,
  ...OPERATING_FAULTS,
}

export interface FaultRow {
  readonly id: string
  readonly rule: string
  readonly tests: readonly string[]
}

export const FAULT_ROWS: readonly FaultRow[] = Object.entries(FAULTS).flatMap(([id, rules]) =>
  Object.entries(rules).map(([rule, tests]) => ({ id, rule, tests })),
)

/** Returns whether the file exists and contains the name as a whole string, with … for each placeholder of a template. */
export function hasTest(place: string): boolean {
  const [path = "", ...rest] = place.split(": ")
  const name = rest.join(": ")
  const file = new URL(`../${path}`, import.meta.url)
  if (name === "" || !existsSync(file)) return false
  const text = readFileSync(file, "utf8").replace(/\$\{[^}]*\}/g, "…")
  return ['"', "'", "`"].some((quote) => text.includes(quote + name + quote))
}

/** Returns the table of faults in Markdown. */
export function toFaultTable(): string {
  const cell = (text: string) => text.replaceAll("|", "\\|")
  const rows = FAULT_ROWS.map(
    ({ id, rule, tests }) => `| ${id} | ${cell(rule)} | ${tests.map((test) => cell(test)).join("<br>")} |`,
  )
  return ["| id | rule | tests, below test/ |", "|---|---|---|", ...rows].join("\n")
}
