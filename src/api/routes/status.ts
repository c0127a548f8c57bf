import { z } from "zod"
import { readStatus } from "../../operations/status/read.ts"
import { defineRoute } from "../_route.ts"

export const status = {
  get: defineRoute({
    name: "status",
    method: "GET",
    path: "/status",
    role: "viewer",
    summary: "whether everything is well: gateways, database, rows, prices and spending, and what needs attention",
    input: z.strictObject({}),
    output: z.object({
      version: z.string().describe("of the gateway that answers"),
      database: z.object({
        kind: z.enum(["postgres", "embedded"]),
        title: z.string(),
        address: z.string().describe("where it is, in words and without a secret"),
        bytes: z.number().nullable(),
        schema: z.object({ state: z.string(), version: z.number().nullable() }),
      }),
      replica: z
        .object({ is_used: z.boolean(), lag_ms: z.number().nullable() })
        .nullable()
        .describe("of `storage.postgres.read_url`: whether reports are read from it, and how far it is behind"),
      gateways: z
        .array(
          z.object({
            name: z.string(),
            last_seen_at: z.string(),
            is_recent: z.boolean(),
            version: z.string().nullable(),
            started_at: z.string().nullable(),
            directory: z.string().describe("the data directory with its host, which the workers of one gateway share"),
          }),
        )
        .readonly()
        .describe("each process of each gateway of the database"),
      rows: z
        .object({
          accepted: z.number(),
          written: z.number(),
          waiting: z.number(),
          rejected: z.number(),
          dropped: z.number(),
        })
        .describe("over the life of the data directory: accepted = written + waiting + rejected + dropped"),
      prices: z.object({
        models: z.number(),
        lists: z.array(z.string()).readonly().describe("the lists that are fetched"),
        fetched: z.record(z.string(), z.string().nullable()).describe("when each was last fetched; null: never"),
        checked_at: z
          .string()
          .nullable()
          .describe(
            "when the one that was fetched the longest ago was fetched; null: none is fetched, or one never was",
          ),
        stale_since: z.string().nullable().describe("since when one could not be fetched, as far as it is known"),
      }),
      unpriced: z
        .object({ requests: z.number(), models: z.array(z.string()).readonly() })
        .describe("the requests of the last 30 days without a known price"),
      budgets: z
        .array(
          z.object({
            name: z.string(),
            value: z.string().nullable().describe("the value of `per` that has used most"),
            measure: z.string(),
            used: z.string(),
            amount: z.string(),
            share: z.number(),
            resets_at: z.string().nullable(),
          }),
        )
        .readonly()
        .describe("the limits of which more than 80 % is used"),
      reconciliations: z
        .array(
          z.object({
            provider: z.string(),
            until: z.string(),
            billed: z.string(),
            recorded: z.string(),
            is_within_tolerance: z.boolean(),
          }),
        )
        .readonly()
        .describe("the comparisons with bills of the last 30 days"),
      archive: z
        .object({ days: z.number(), newest: z.string(), failed: z.number() })
        .nullable()
        .describe("null: there is none"),
      attention: z
        .array(z.object({ level: z.enum(["problem", "notice"]), message: z.string(), fix: z.string() }))
        .readonly()
        .describe("what needs attention, and what to do about it, the gravest first"),
      problems: z.array(z.string()).readonly().describe("the problems among it, one sentence each"),
    }),
    needs: ["database", "prices", "replica"],
    run: (context) => readStatus(context),
  }),
}
