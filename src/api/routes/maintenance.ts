import { z } from "zod"
import { parseAge } from "../../config/value-parsers.ts"
import { InputError } from "../../operations/input-error.ts"
import { pruneRequests } from "../../operations/prune.ts"
import { verify } from "../../operations/verify.ts"
import { defineRoute } from "../_route.ts"

const days = z.array(z.string()).readonly()
const difference = z.object({
  table: z.string(),
  name: z.string().nullable().describe("the metadata name"),
  counters: z.array(z.string()).readonly(),
})

export const maintenance = {
  prune: defineRoute({
    name: "prune",
    method: "POST",
    path: "/prune",
    role: "admin",
    summary: "delete old requests, or their bodies alone; the totals of reports stay",
    input: z.strictObject({
      older_than: z.string().describe("such as 90d, 12w or 1y"),
      bodies_only: z.boolean().default(false).describe("keep the requests and empty their bodies"),
      dry_run: z.boolean().default(false).describe("say how many, and change nothing"),
    }),
    output: z.object({
      before: z.string().describe("the midnight before which requests are pruned"),
      requests: z.number(),
      partitions_dropped: z.number().describe("parts of the table, by month, that were dropped whole"),
      bodies_only: z.boolean(),
      dry_run: z.boolean(),
      bodies_left_in_s3: z.number(),
    }),
    needs: ["database"],
    parse: ({ older_than: text, bodies_only: bodiesOnly, dry_run: dryRun }) => {
      const olderThanMs = parseAge(text)
      if (olderThanMs !== undefined) return { olderThanMs, bodiesOnly, dryRun }
      throw new InputError("older_than", `expected an age such as 90d, 12w or 1y, got ${JSON.stringify(text)}`)
    },
    run: (context, input) => pruneRequests(context, input),
  }),
  verify: defineRoute({
    name: "verify",
    method: "POST",
    path: "/verify",
    role: "admin",
    summary: "compare the journals, the rows and the rollups that reports read",
    input: z.strictObject({
      all: z.boolean().default(false).describe("compare every day again, also those that were proven before"),
      repair: z.boolean().default(false).describe("compute the rollups again from the rows, where they differ"),
    }),
    output: z.object({
      balanced: z.boolean(),
      schema: z.array(z.string()).readonly().describe("why the database does not count rows"),
      accepted: z.number(),
      written: z.number(),
      waiting: z.number(),
      rejected: z.number(),
      dropped: z.number(),
      lost: z.number().describe("rows that left the journal and are not in the database"),
      begun: z.number().describe("requests that are running, or whose process died"),
      unreadable: z.array(z.object({ path: z.string(), code: z.string() })).readonly(),
      days: z.object({ compared: z.number(), proven: z.number(), pruned: z.number() }),
      limits: z.number().describe("limits whose usage was compared with the rows"),
      differences: z.array(difference.extend({ period: z.string(), repairable: z.boolean() })).readonly(),
      wrong_days: days,
      repairs: z.array(difference.extend({ day: z.string() })).readonly(),
      repaired_days: days,
    }),
    needs: ["database"],
    run: (context, input) => verify(context, input),
  }),
}
