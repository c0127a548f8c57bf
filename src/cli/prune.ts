import { parseAge } from "../config/value-parsers.ts"
import { CommandError } from "../core/errors.ts"
import { countBodiesInS3, countPrunable, prune, toPruneDate } from "../database/prune.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { withDatabase } from "./_open.ts"
import { print, printJson } from "./_print.ts"
import { createProgress } from "./_progress.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: { name: "prune", description: "delete old requests, or their bodies alone; the totals of reports stay" },
  args: {
    "older-than": { type: "string", required: true, valueHint: "AGE", description: "such as 90d, 12w or 1y" },
    "bodies-only": { type: "boolean", description: "keep the requests and empty their bodies (those in the database)" },
    "dry-run": { type: "boolean", description: "say how many, and change nothing" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway prune --older-than 90d --dry-run",
    "majordomo-gateway prune --older-than 30d --bodies-only",
  ],
  async run({ args }) {
    const ageMs = parseAge(args["older-than"])
    if (ageMs === undefined)
      throw new CommandError(
        `--older-than: expected an age such as 90d, 12w or 1y, got ${JSON.stringify(args["older-than"])}`,
        2,
      )
    const bodiesOnly = args["bodies-only"] === true
    const isDry = args["dry-run"] === true
    const choice = { olderThan: Date.now() - ageMs, bodiesOnly }
    const before = toPruneDate(choice).toISOString()
    await withDatabase(args.config, async (database) => {
      const inS3 = await countBodiesInS3(database, choice)
      const progress = createProgress("requests")
      const work = isDry ? countPrunable(database, choice) : prune(database, choice, progress.update)
      const requests = await work.finally(progress.end)
      if (args.json) printJson({ before, requests, bodies_only: bodiesOnly, dry_run: isDry, bodies_left_in_s3: inS3 })
      else print([describe(requests, before.slice(0, 10), bodiesOnly, isDry), ...describeRest(inS3)].join("\n"))
    })
  },
})

function describe(requests: number, day: string, bodiesOnly: boolean, isDry: boolean): string {
  const whose = `${withThousands(requests)} ${requests === 1 ? "request" : "requests"} from before ${day} (UTC)`
  if (requests === 0) return `Nothing to do: no ${bodiesOnly ? "body" : "request"} is from before ${day} (UTC)`
  if (isDry)
    return bodiesOnly
      ? `The bodies of ${whose} would be deleted`
      : `${whose} would be deleted; the totals of reports would stay`
  return bodiesOnly ? `The bodies of ${whose} were deleted` : `${whose} were deleted; the totals of reports stay`
}

/** Deleting in a bucket is the bucket's work: it does so by age, and goes on when no gateway runs. */
function describeRest(inS3: number): string[] {
  if (inS3 === 0) return []
  const whose = `${withThousands(inS3)} ${inS3 === 1 ? "request" : "requests"}`
  return [`The bodies of ${whose} are in S3 and stay there: delete old ones by a lifecycle rule of the bucket`]
}
