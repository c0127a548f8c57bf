import { parseAge } from "../config/value-parsers.ts"
import { CommandError } from "../core/errors.ts"
import { type PruneResult, pruneRequests } from "../operations/prune.ts"
import { COMMON, defineCommand, JSON_OPTION } from "./_command.ts"
import { confirm, YES_OPTION } from "./_confirm.ts"
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
    ...YES_OPTION,
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway prune --older-than 90d --dry-run",
    "majordomo-gateway prune --older-than 30d --bodies-only",
  ],
  async run({ args }) {
    const olderThanMs = parseOlderThan(args["older-than"])
    const what = args["bodies-only"] ? "the bodies of requests" : "requests"
    if (!args["dry-run"]) await confirm(`Delete ${what} older than ${args["older-than"]}? This cannot be undone.`, args)
    await withDatabase(args.config, async (context) => {
      const progress = createProgress("requests")
      const pruning = pruneRequests(
        { ...context, onProgress: progress.update },
        { olderThanMs, bodiesOnly: args["bodies-only"] === true, dryRun: args["dry-run"] === true },
      )
      const result = await pruning.finally(progress.end)
      if (args.json) printJson(result)
      else print([describe(result), ...describeRest(result)].join("\n"))
    })
  },
})

function parseOlderThan(text: string): number {
  const ageMs = parseAge(text)
  if (ageMs !== undefined) return ageMs
  throw new CommandError(`--older-than: expected an age such as 90d, 12w or 1y, got ${JSON.stringify(text)}`, 2)
}

function describe({ before, requests, bodies_only: bodiesOnly, dry_run: isDry }: PruneResult): string {
  const day = before.slice(0, 10)
  if (requests === 0) return `Nothing to do: no ${bodiesOnly ? "body" : "request"} is from before ${day} (UTC)`
  const which = `${count(requests)} from before ${day} (UTC)`
  if (bodiesOnly) return `The bodies of ${which} ${isDry ? "would be" : "were"} deleted`
  return isDry
    ? `${which} would be deleted; the totals of reports would stay`
    : `${which} were deleted; the totals of reports stay`
}

/** Only the bucket deletes objects in S3: a rule of the bucket deletes by age, even when no gateway runs. */
function describeRest({ bodies_left_in_s3: bodiesInS3 }: PruneResult): string[] {
  if (bodiesInS3 === 0) return []
  return [
    `The bodies of ${count(bodiesInS3)} are in S3 and stay there: delete old ones by a lifecycle rule of the bucket`,
  ]
}

function count(requests: number): string {
  return `${withThousands(requests)} ${requests === 1 ? "request" : "requests"}`
}
