import { z } from "zod"
import { readStatus } from "../../operations/status.ts"
import { defineRoute } from "../_route.ts"

export const status = {
  get: defineRoute({
    name: "status",
    method: "GET",
    path: "/status",
    role: "viewer",
    summary: "whether the gateways, their database, their journals and their price lists are well",
    input: z.strictObject({}),
    output: z.object({
      version: z.string().describe("of the gateway that answers"),
      database: z.object({ kind: z.enum(["postgres", "embedded"]), title: z.string() }),
      replica: z
        .object({ is_used: z.boolean(), lag_ms: z.number().nullable() })
        .nullable()
        .describe("of `storage.postgres.read_url`: whether reports are read from it, and how far it is behind"),
      gateways: z.array(z.object({ name: z.string(), last_seen_at: z.string(), is_recent: z.boolean() })).readonly(),
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
        checked_at: z.string().nullable().describe("when the list that was fetched the longest ago was fetched"),
      }),
      problems: z.array(z.string()).readonly().describe("what needs attention"),
    }),
    needs: ["database", "prices", "replica"],
    run: (context) => readStatus(context),
  }),
}
