import { join } from "node:path"
import { repairRollups, type VerifyResult, verifyLedger } from "../database/verify.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson } from "./_print.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: {
    name: "verify",
    description: "compare the journals, the rows and the sums that reports read; also while the gateway runs",
  },
  args: {
    repair: { type: "boolean", description: "Build the sums again from the rows, where they differ" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway verify", "majordomo-gateway verify --repair"],
  async run({ args }) {
    await withDatabase(args.config, async (database, settings) => {
      const journals = join(settings.storage.dataDir, "journal")
      const before = await verifyLedger(database, journals)
      const repaired = args.repair === true && before.wrongDays.length > 0
      if (repaired) await repairRollups(database, before.wrongDays)
      const books = repaired ? await verifyLedger(database, journals) : before
      const isBalanced = books.lost === 0 && books.wrongDays.length === 0
      if (args.json)
        printJson({ balanced: isBalanced, ...toJson(books), repaired_days: repaired ? before.wrongDays : [] })
      else
        print(
          `${repaired ? "Repaired. " : ""}${isBalanced ? "The books balance" : "The books do NOT balance"}: ${describe(books)}`,
        )
      if (!isBalanced) process.exitCode = 1
    })
  },
})

function toJson({ wrongDays, ...books }: VerifyResult) {
  return { ...books, wrong_days: wrongDays }
}

function describe({ accepted, written, waiting, rejected, dropped, lost, wrongDays }: VerifyResult): string {
  const n = withThousands
  const sum = `${n(accepted)} accepted = ${n(written)} written + ${n(waiting)} waiting + ${n(rejected)} rejected + ${n(dropped)} dropped`
  const missing = lost === 0 ? "" : ` + ${n(lost)} that left the journal and are not in the database`
  const days = wrongDays.length === 1 ? wrongDays[0] : `${n(wrongDays.length)} days, the first ${wrongDays[0]}`
  const sums =
    wrongDays.length === 0
      ? "the sums agree with the rows"
      : `the sums differ from the rows on ${days} (verify --repair)`
  return `${sum}${missing}; ${sums}`
}
