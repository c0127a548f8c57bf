import { archive } from "../../api/routes/archive.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable, withThousands } from "../_text.ts"

export default defineCommand({
  meta: {
    name: "verify",
    description:
      "read all files of the archive and compare them with the totals of reports; exit code 1 if they differ",
  },
  args: {
    since: { type: "string", valueHint: "DAY", description: "only days from this one on (UTC), such as 2026-11-01" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway archive verify", "majordomo-gateway archive verify --since 2026-11-01"],
  async run({ args }) {
    const result = await call(args, archive.verify, { since: args.since })
    if (!result.balanced) process.exitCode = 1
    if (args.json) return printJson(result)
    const { days, files, rows, differences, unfinished } = result
    const verdict = result.balanced ? "The archive is as it was written" : "The archive is NOT as it was written"
    const size = `${withThousands(days)} days, ${withThousands(files)} files, ${withThousands(rows)} rows`
    const open = unfinished.length === 0 ? [] : [`The next run of the archive completes: ${unfinished.join(", ")}`]
    print(
      [
        `${verdict}: ${size}`,
        ...differences.map(({ day, problem }) => `  ${day}: ${printable(problem)}`),
        ...open,
      ].join("\n"),
    )
  },
})
