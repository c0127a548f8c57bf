import { z } from "zod"
import { IMPORT_SOURCE_NAMES } from "../../operations/imports/from-database.ts"
import { importRequests } from "../../operations/imports/import.ts"
import { listImports } from "../../operations/imports/list.ts"
import { undoImport } from "../../operations/imports/undo.ts"
import { defineRoute } from "../_route.ts"
import { FILTERS, parseChoice } from "./_usage-input.ts"

const usd = (what: string) => z.string().describe(`${what}, in USD as an exact decimal`)
const moment = (what: string) => z.string().nullable().describe(`${what}, ISO 8601`)
/** The inputs are in a query, because the file is the body. */
const flag = (what: string) => z.enum(["true", "false"]).default("false").describe(what)

const counts = {
  requests: z.number(),
  total_cost: usd("what they cost"),
  unpriced: z.number().describe("the requests without a cost"),
}
const times = { first_at: moment("when the first request ended"), last_at: moment("when the last request ended") }

export const imports = {
  list: defineRoute({
    name: "imports.list",
    method: "GET",
    path: "/imports",
    role: "viewer",
    summary: "the imports of requests that other products have recorded",
    input: z.strictObject({}),
    output: z.object({
      imports: z
        .array(
          z.object({
            id: z.string(),
            source: z.string(),
            actor: z.string(),
            status: z.enum(["finished", "unfinished", "undone"]),
            started_at: z.string(),
            ...counts,
            ...times,
          }),
        )
        .readonly(),
    }),
    needs: ["database"],
    run: async (context) => ({ imports: await listImports(context) }),
  }),
  create: defineRoute({
    name: "imports.create",
    method: "POST",
    path: "/imports",
    role: "admin",
    summary: "import the requests that another product has recorded, from a file (CSV or JSON)",
    input: z.strictObject({
      source: z.enum(IMPORT_SOURCE_NAMES).describe("the product"),
      key: z.string().optional().describe("the API key to which the requests are attributed, by its id or its name"),
      since: z.string().optional().describe("only requests that ended from then on: 30d, 2026-11-01, today or month"),
      until: FILTERS.until,
      tz: FILTERS.tz,
      reprice: flag("price the requests by their tokens, at the prices of their time"),
      dry_run: flag("say what would be imported, and change nothing"),
    }),
    output: z.object({
      id: z.string().nullable().describe("the id of the import; null if it added no request"),
      source: z.string(),
      dry_run: z.boolean(),
      records: z.number().describe("the records of the file"),
      ...counts,
      known: z.number().describe("requests that were there already"),
      pruned: z.number().describe("requests of a time that was pruned, which are left out"),
      outside: z.number().describe("requests outside of since and until"),
      skipped: z.array(z.object({ reason: z.string(), records: z.number() })).readonly(),
      ...times,
      models: z
        .array(
          z.object({
            provider: z.string(),
            model: z.string(),
            input_tokens: z.number(),
            output_tokens: z.number(),
            ...counts,
          }),
        )
        .readonly(),
      bad: z.number().describe("records that could not be read"),
      bad_lines: z
        .array(z.object({ line: z.number(), reason: z.string() }))
        .readonly()
        .describe("the first 100 of them"),
    }),
    needs: ["database", "prices", "file"],
    parse: ({ source, key, since, until, tz, reprice, dry_run: dryRun }, now) => {
      const { period } = parseChoice({ since, until, tz, where: [] }, now, "2000-01-01")
      return {
        source,
        key,
        since: since === undefined ? undefined : period.since,
        until: period.until,
        reprice: reprice === "true",
        dryRun: dryRun === "true",
      }
    },
    run: (context, input) => importRequests(context, input),
  }),
  undo: defineRoute({
    name: "imports.undo",
    method: "DELETE",
    path: "/imports/{id}",
    role: "admin",
    summary: "remove the requests of an import, from all totals too",
    input: z.strictObject({ id: z.string().describe("the id of the import, or its beginning") }),
    output: z.object({
      id: z.string(),
      source: z.string(),
      requests: z.number().describe("the requests that were removed"),
      left: z.number().describe("requests that were pruned before, which stay in the totals"),
    }),
    needs: ["database"],
    run: (context, input) => undoImport(context, input),
  }),
}
