import { FAULT_ROWS, toFaultTable } from "./faults.ts"
import { readMatrix } from "./table.ts"

function printCases(): void {
  const rows = readMatrix()
  for (const { id, priority, state, rule, places, notApplicable, fails } of rows) {
    const where = notApplicable ?? fails ?? (places.length > 0 ? places.join(", ") : "no test yet")
    console.log(`${id}  ${priority}  ${state.padEnd(14)}  ${rule}\n${" ".repeat(28)}${where}`)
  }
  for (const priority of ["P0", "P1", "P2"] as const) {
    const of = rows.filter((row) => row.priority === priority)
    const count = (state: string) => of.filter((row) => row.state === state).length
    console.log(
      `${priority}: ${of.length} cases, ${count("holds")} hold, ${count("fails")} fail, ${count("does not apply")} do not apply, ${count("untested")} without a test`,
    )
  }
  const ids = new Set(FAULT_ROWS.map(({ id }) => id))
  console.log(`${ids.size} faults with ${FAULT_ROWS.length} rules: npm run matrix -- --faults prints their tests`)
}

if (process.argv.includes("--faults")) console.log(toFaultTable())
else printCases()
