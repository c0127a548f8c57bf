import { maintenance } from "../api/routes/maintenance.ts"
import type { VerifyResult } from "../operations/verify.ts"
import { call, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { print, printJson } from "./_print.ts"
import { printable, withThousands } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "verify",
    description:
      "compare the journals, the rows and the rollups that reports read, also while the gateway runs; exit code 1 if they differ",
  },
  args: {
    all: { type: "boolean", description: "compare every day again, also those that were proven and have not changed" },
    repair: { type: "boolean", description: "compute the rollups again from the rows, where they differ" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway verify", "majordomo-gateway verify --all", "majordomo-gateway verify --repair"],
  async run({ args }) {
    const { all, repair } = args
    const noun = repair ? "requests and repairs" : "requests"
    const result = await call(args, maintenance.verify, { all, repair }, { noun })
    if (args.json) printJson(result)
    else print(toVerdict(result))
    if (!result.balanced) process.exitCode = 1
  },
})

/** Returns the result as text: a verdict in one line, then the differences and the repairs. */
export function toVerdict(result: VerifyResult): string {
  const verdict = result.balanced ? "The books balance" : "The books do NOT balance"
  const first = `${verdict}: ${describeRows(result)}; ${describeDays(result)}`
  return [
    first,
    ...describeUnreadable(result),
    ...describeSchema(result),
    ...describeDifferences(result),
    ...describeRepairs(result),
  ].join("\n")
}

function describeRows({ accepted, written, waiting, rejected, dropped, lost }: VerifyResult): string {
  const n = withThousands
  const sum = `${n(accepted)} accepted = ${n(written)} written + ${n(waiting)} waiting + ${n(rejected)} rejected + ${n(dropped)} dropped`
  return lost === 0 ? sum : `${sum} + ${n(lost)} that left the journal and are not in the database`
}

function describeDays({ differences, days, limits }: VerifyResult): string {
  const parts = [
    `${withThousands(days.compared)} ${days.compared === 1 ? "day" : "days"} compared`,
    ...(days.proven > 0 ? [`${withThousands(days.proven)} proven before`] : []),
    ...(days.pruned > 0 ? [`${withThousands(days.pruned)} pruned`] : []),
    ...(limits > 0 ? [`${withThousands(limits)} ${limits === 1 ? "limit" : "limits"}`] : []),
  ]
  return `the rollups ${differences.length === 0 ? "agree with" : "DIFFER from"} the rows (${parts.join(", ")})`
}

const MAX_LINES = 20

function describeSchema({ schema }: VerifyResult): string[] {
  if (schema.length === 0) return []
  const lines = schema.map((fault) => `  the schema: ${printable(fault)}`)
  return [...lines, "Correct the schema as majordomo-gateway doctor says, then run majordomo-gateway verify --repair"]
}

function describeUnreadable({ unreadable }: VerifyResult): string[] {
  return unreadable.map(({ path, code }) => `  ${printable(path)} cannot be read (${code}), so its rows are not proven`)
}

function describeDifferences({ differences }: VerifyResult): string[] {
  const lines = differences.slice(0, MAX_LINES).map(({ table, period, name, counters, repairable }) => {
    const of = name === null ? "" : ` of ${printable(name)}`
    const why = repairable ? "" : " (cannot be repaired: the requests of that day were pruned)"
    return `  ${table} ${period}${of}: ${counters.join(", ")}${why}`
  })
  const rest = differences.length - lines.length
  if (rest > 0) lines.push(`  and ${withThousands(rest)} more (see --json)`)
  if (differences.some(({ repairable }) => repairable)) lines.push("Repair them with majordomo-gateway verify --repair")
  return lines
}

function describeRepairs({ repairs }: VerifyResult): string[] {
  if (repairs.length === 0) return []
  const lines = repairs.slice(0, MAX_LINES).map(({ table, day, name, counters }) => {
    return `  ${table} ${day}${name === null ? "" : ` of ${printable(name)}`}: ${counters.join(", ")}`
  })
  const rest = repairs.length - lines.length
  return ["Computed again from the rows:", ...lines, ...(rest > 0 ? [`  and ${withThousands(rest)} more`] : [])]
}
