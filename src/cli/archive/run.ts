import { archive } from "../../api/routes/archive.ts"
import { archivePlace } from "../../config/archive-place.ts"
import { INVALID } from "../../config/value-parsers.ts"
import { InputError } from "../../operations/input-error.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable, withThousands } from "../_text.ts"

export default defineCommand({
  meta: {
    name: "archive",
    description: "write finished days as Parquet files to a directory or to S3, and verify them; it can be repeated",
  },
  args: {
    to: { type: "string", valueHint: "PLACE", description: "a directory or s3://BUCKET/PREFIX (default: archive.to)" },
    before: { type: "string", valueHint: "DAY", description: "only days before this one (UTC), such as 2026-11-01" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway archive --to /srv/archive",
    "majordomo-gateway archive --to s3://my-bucket/llm --before 2026-11-01",
  ],
  async run({ args }) {
    const { before, to } = args
    const place = to === undefined ? undefined : archivePlace.parse(to, process.cwd())
    if (place === INVALID) throw new InputError("to", `expected ${archivePlace.expected}`)
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    const result = await call(
      args,
      archive.run,
      { before },
      {
        signal: stop.signal,
        ...(place !== undefined && {
          ofThisMachine: "--to",
          change: (settings) => ({ ...settings, archive: { ...settings.archive, to: place } }),
        }),
      },
    )
    if (result.days.some(({ status }) => status === "failed")) process.exitCode = 1
    if (args.json) return printJson(result)
    print(describe(result))
  },
})

function describe({ place, before, days, rows }: Awaited<ReturnType<typeof archive.run.run>>): string {
  const where = printable(place)
  if (days.length === 0) return `Nothing to do: all days before ${before} (UTC) are verified in the archive at ${where}`
  const open = days.filter(({ status }) => status !== "verified")
  const verified = days.length - open.length
  const first = `Wrote ${withThousands(rows)} rows to ${where}: ${withThousands(verified)} of ${withThousands(days.length)} days before ${before} (UTC) verified`
  return [
    first,
    ...open.map(({ day, status, problem }) => `  ${day}: ${problem ?? `${status}: run the command again`}`),
  ].join("\n")
}
