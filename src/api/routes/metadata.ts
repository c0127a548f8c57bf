import { z } from "zod"
import { activateMetadata } from "../../operations/metadata/activate.ts"
import { deactivateMetadata } from "../../operations/metadata/deactivate.ts"
import { listMetadata } from "../../operations/metadata/list.ts"
import { parseName } from "../../operations/metadata/name.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { addNameFields } from "./go/fields.ts"

const choice = {
  name: z.string().describe("the metadata name: User-Id for the header X-Majordomo-User-Id"),
  key: z.string().optional().describe("only for this API key, by its id or its name"),
}

export const metadata = {
  list: defineRoute({
    name: "metadata.list",
    method: "GET",
    path: "/metadata",
    role: "viewer",
    summary: "the metadata names that requests carried, and which of them are active",
    input: z.strictObject({
      values: z
        .enum(["count", "skip"])
        .default("count")
        .describe("whether to count the values of each name, which takes seconds with millions of requests"),
    }),
    output: z
      .array(
        z.object({
          name: z.string(),
          requests: z.number(),
          distinct_values: z.number().nullable().describe("null: they were not to be counted"),
          distinct_values_of: z.string().describe("the requests in which the values were counted"),
          counted_since: z.string().nullable().describe("reports do not know the values of earlier requests"),
          active: z.enum(["all", "some", "none"]),
          active_keys: z.array(z.string()).readonly(),
          last_seen_at: z.string().nullable(),
        }),
      )
      .readonly(),
    ...FROM_REPLICA,
    addGoFields: (names) => names.map(addNameFields),
    run: (context, { values }) => listMetadata(context, { values: values === "count" }),
  }),
  activate: defineRoute({
    name: "metadata.activate",
    method: "POST",
    path: "/metadata/{name}/activate",
    role: "admin",
    summary: "index and aggregate requests by a metadata name, earlier ones too",
    input: z.strictObject(choice),
    output: z.object({
      name: z.string(),
      key: z.string().nullable(),
      active: z.literal(true),
      indexed: z.number().describe("earlier requests that were indexed; only for all keys"),
    }),
    needs: ["database"],
    parse: (input) => parseName(input),
    run: (context, input) => activateMetadata(context, input),
  }),
  deactivate: defineRoute({
    name: "metadata.deactivate",
    method: "POST",
    path: "/metadata/{name}/deactivate",
    role: "admin",
    summary: "no longer index and aggregate requests by a metadata name",
    input: z.strictObject(choice),
    output: z.object({ name: z.string(), key: z.string().nullable(), active: z.literal(false) }),
    needs: ["database"],
    parse: (input) => parseName(input),
    run: (context, input) => deactivateMetadata(context, input),
  }),
}
