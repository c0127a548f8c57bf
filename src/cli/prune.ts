import { maintenance } from "../api/routes/maintenance.ts"
import type { PruneResult } from "../operations/prune.ts"
import { call, checkInput, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { confirm, YES_OPTION } from "./_confirm.ts"
import { print, printJson } from "./_print.ts"
import { withThousands } from "./_text.ts"

export default defineCommand({
  meta: { name: "prune", description: "delete old requests, or their bodies alone; the totals of reports stay" },
  args: {
    "older-than": { type: "string", required: true, valueHint: "AGE", description: "such as 90d, 12w or 1y" },
    "bodies-only": { type: "boolean", description: "keep the requests and empty their bodies (those in the database)" },
    "dry-run": { type: "boolean", description: "say how many, and change nothing" },
    ...YES_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway prune --older-than 90d --dry-run",
    "majordomo-gateway prune --older-than 30d --bodies-only",
  ],
  async run({ args }) {
    const { "older-than": age, "bodies-only": bodiesOnly, "dry-run": dryRun } = args
    const input = { older_than: age, bodies_only: bodiesOnly, dry_run: dryRun }
    checkInput(maintenance.prune, input)
    const what = bodiesOnly ? "the bodies of requests" : "requests"
    if (!dryRun) await confirm(`Delete ${what} older than ${age}? This cannot be undone.`, args)
    const result = await call(args, maintenance.prune, input)
    if (args.json) printJson(result)
    else print([describe(result), ...describeRest(result)].join("\n"))
  },
})

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
