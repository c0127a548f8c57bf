import { usage } from "../../api/routes/usage.ts"
import type { Pending, PendingJob } from "../../operations/usage/pending.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { WATCH_OPTION } from "../_watch.ts"

export default defineCommand({
  meta: {
    name: "pending",
    description: "background responses and batches that are not billed yet, because nobody fetched their results",
  },
  args: {
    limit: { type: "string", valueHint: "N", description: "at most so many, the oldest first (default 50)" },
    ...JSON_OPTION,
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway usage pending", "majordomo-gateway usage pending --json"],
  async run({ args }) {
    const pending = await call(args, usage.pending, { limit: args.limit })
    if (args.json) return printJson(pending)
    if (pending.jobs.length === 0) printMessage("Every job that was created through the gateway is billed.")
    else print(renderJobs(pending.jobs, findScreen()))
    printUnbilled(pending.unbilled)
  },
})

const ADVICE = "To bill a job, GET its path through the gateway until the job has ended and all results were fetched.\n"

function renderJobs(jobs: readonly PendingJob[], screen: Screen): string {
  const table = renderTable(
    [
      { title: "Job", align: "left", cells: jobs.map(({ id }) => printable(id)), shrinks: true },
      { title: "Kind", align: "left", cells: jobs.map(({ kind }) => kind), hideRank: 1 },
      { title: "Provider", align: "left", cells: jobs.map(({ provider }) => printable(provider)), hideRank: 2 },
      { title: "Key", align: "left", cells: jobs.map(({ key }) => printable(key ?? "")), shrinks: true },
      { title: "Age", align: "right", cells: jobs.map(({ age }) => toAge(age)) },
      { title: "State", align: "left", cells: jobs.map(({ state }) => state) },
      { title: "Billed", align: "right", cells: jobs.map(toBilled) },
      { title: "GET", align: "left", cells: jobs.map(({ fetch }) => printable(fetch ?? "")), shrinks: true },
    ],
    screen,
  )
  return `${table}\n${ADVICE}`
}

/** Renders how many items are billed of how many: `1 of 3`, `0 of ?`. */
function toBilled({ billed_items, expected_items }: PendingJob): string {
  return `${withThousands(billed_items)} of ${expected_items === null ? "?" : withThousands(expected_items)}`
}

/** Renders an age: `5 min`, `3 h`, `2 d`. */
function toAge(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

function printUnbilled({ items, sources }: Pending["unbilled"]): void {
  if (items === 0) return
  const results = items === 1 ? "1 result" : `${withThousands(items)} results`
  const jobs = sources === 1 ? "a job" : `${withThousands(sources)} jobs`
  printMessage(
    `${results} of ${jobs} that no gateway created ${items === 1 ? "was" : "were"} fetched and not billed. metering.foreign_jobs: true bills such results when they are fetched again.`,
  )
}
