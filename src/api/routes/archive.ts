import { z } from "zod"
import { listArchive } from "../../operations/archive/list.ts"
import { archiveForCaller } from "../../operations/archive/thread.ts"
import { verifyArchive } from "../../operations/archive/verify.ts"
import { InputError } from "../../operations/input-error.ts"
import { defineRoute } from "../_route.ts"

const DAY = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/

function parseDay(field: string, text: string | undefined): string | undefined {
  if (text === undefined || (DAY.test(text) && new Date(text).toISOString().startsWith(text))) return text
  throw new InputError(field, `expected a day such as 2026-11-28, got ${JSON.stringify(text)}`)
}

const day = z.object({
  day: z.string().describe("in UTC, such as 2026-11-28"),
  status: z
    .enum(["writing", "verified", "late", "changed", "failed"])
    .describe("verified: the files were read back and agree with the totals of reports"),
  place: z.string().describe("a directory of the gateway's machine, or s3://bucket/prefix"),
  rows: z.number(),
  cost: z.string().describe("USD, without subscriptions"),
  bytes: z.number(),
  files: z.array(z.string()).readonly(),
  problem: z.string().nullable().describe("why the day is not verified, or what the files lack"),
  written_at: z.string(),
  verified_at: z.string().nullable(),
})

export const archive = {
  run: defineRoute({
    name: "archive",
    method: "POST",
    path: "/archive",
    role: "admin",
    summary: "write finished days to the archive, as Parquet files",
    input: z.strictObject({
      before: z.string().optional().describe("only days before this one, such as 2026-11-01"),
    }),
    output: z.object({
      place: z.string().describe("where new days are written"),
      before: z.string().describe("days before this one were written"),
      rows: z.number(),
      days: z.array(day).readonly().describe("the days that were written or completed"),
    }),
    needs: ["database"],
    parse: ({ before }) => ({ before: parseDay("before", before) }),
    run: (context, input) => archiveForCaller(context, input),
  }),
  list: defineRoute({
    name: "archive.list",
    method: "GET",
    path: "/archive",
    role: "viewer",
    summary: "the days of the archive, the oldest first",
    input: z.strictObject({}),
    output: z.object({ items: z.array(day).readonly() }),
    needs: ["database"],
    run: async (context) => ({ items: await listArchive(context) }),
  }),
  verify: defineRoute({
    name: "archive.verify",
    method: "POST",
    path: "/archive/verify",
    role: "admin",
    summary: "read the files of the archive again, and compare them with the totals of reports",
    input: z.strictObject({
      since: z.string().optional().describe("only days from this one on, such as 2026-11-01"),
    }),
    output: z.object({
      balanced: z.boolean(),
      days: z.number(),
      files: z.number(),
      rows: z.number(),
      unfinished: z.array(z.string()).readonly().describe("days that the next run completes"),
      differences: z.array(z.object({ day: z.string(), problem: z.string() })).readonly(),
    }),
    needs: ["database"],
    parse: ({ since }) => ({ since: parseDay("since", since) }),
    run: (context, input) => verifyArchive(context, input),
  }),
}
