import { type VerifyResult, verify } from "../operations/verify.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson } from "./_print.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "verify",
    description: "compare the journals, the rows and the rollups that reports read; also while the gateway runs",
  },
  args: {
    repair: { type: "boolean", description: "compute the rollups again from the rows, where they differ" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway verify", "majordomo-gateway verify --repair"],
  async run({ args }) {
    await withDatabase(args.config, async (context) => {
      const result = await verify(context, { repair: args.repair === true })
      if (args.json) printJson(result)
      else print(describe(result))
      if (!result.balanced) process.exitCode = 1
    })
  },
})

function describe(result: VerifyResult): string {
  const repaired = result.repaired_days.length > 0 ? "Repaired. " : ""
  const verdict = result.balanced ? "The books balance" : "The books do NOT balance"
  return `${repaired}${verdict}: ${describeRows(result)}; ${describeSums(result)}`
}

function describeRows({ accepted, written, waiting, rejected, dropped, lost }: VerifyResult): string {
  const n = withThousands
  const sum = `${n(accepted)} accepted = ${n(written)} written + ${n(waiting)} waiting + ${n(rejected)} rejected + ${n(dropped)} dropped`
  return lost === 0 ? sum : `${sum} + ${n(lost)} that left the journal and are not in the database`
}

function describeSums({ wrong_days: days }: VerifyResult): string {
  if (days.length === 0) return "the rollups agree with the rows"
  const which = days.length === 1 ? days[0] : `${withThousands(days.length)} days, the first ${days[0]}`
  return `the rollups differ from the rows on ${which} (verify --repair)`
}
