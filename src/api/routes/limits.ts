import { z } from "zod"
import { LIMIT_MEASURES, LIMIT_WINDOWS } from "../../core/limit.ts"
import { checkLimits, listLimitsOfKey } from "../../operations/limits/check.ts"
import { createLimit } from "../../operations/limits/create.ts"
import { parseLimitInput } from "../../operations/limits/input.ts"
import { getLimit, listLimits } from "../../operations/limits/list.ts"
import { deleteLimit, updateLimit } from "../../operations/limits/update.ts"
import { listLimitValues } from "../../operations/limits/values.ts"
import { defineRoute } from "../_route.ts"
import { whole } from "./_usage-input.ts"

const values = z.record(z.string(), z.string()).readonly()

const limit = z.object({
  id: z.string().describe("a UUID"),
  name: z.string().describe("unique among the limits"),
  measure: z.enum(LIMIT_MEASURES).describe("what is counted; cost is in USD"),
  amount: z.string().describe("how much of it, as a plain decimal"),
  window: z.enum(LIMIT_WINDOWS).describe("the calendar window after which it counts from 0; total: never"),
  tz: z.string().describe("the time zone of the window"),
  key: z.string().nullable().describe("only requests of this API key, by its id"),
  key_name: z.string().nullable().describe("the name of that API key"),
  provider: z.string().nullable().describe("only requests to this provider"),
  model: z.string().nullable().describe("only this model; may end in *"),
  where: values.describe("only requests with this metadata; a value may end in *"),
  per: z.string().nullable().describe("one amount for each value of: key, model, or a metadata name"),
  action: z.enum(["block", "warn"]).describe("whether requests above it are rejected, or only reported"),
  notify_at: z.array(z.number()).readonly().describe("the percentages at which people are notified"),
  estimate: z.enum(["expected", "maximum"]).describe("what is reserved for a request before its answer is known"),
  unpriced: z.enum(["allow", "block"]).describe("what a limit on cost does to models without a known price"),
  source: z.enum(["database", "config"]).describe("config: it can be changed only in the configuration"),
  summary: z.string().describe("what it allows, in one sentence"),
})

const use = z.object({
  value: z.string().nullable().describe("the value of per with this use, which has used most; null without per"),
  value_name: z.string().nullable().describe("that value as people know it: the name of an API key"),
  used: z.string().describe("what requests of this window have used, in the unit of the measure"),
  reserved: z.string().describe("what is held for running requests, and for the next ones"),
  remaining: z.string().describe("the rest, at least 0"),
  window_start: z.string().nullable().describe("ISO 8601; null for total"),
  resets_at: z.string().nullable().describe("when the window ends, ISO 8601; null for total"),
})

/** A limit with its use. */
export const listedLimit = limit.extend(use.shape)

const id = z.string().describe("the id of a limit, the beginning of it, or its name")

/** The operation checks the values, because its errors name the nearest valid one. */
const oneOf = (names: readonly string[]) => z.string().meta({ enum: names })
const removable = (text: string) => z.string().nullable().optional().describe(`${text}; empty or null: all`)
const fields = {
  measure: oneOf(LIMIT_MEASURES).describe("what is counted; cost is in USD"),
  amount: z.union([z.string(), z.number()]).describe("how much of it, as a plain decimal"),
  window: oneOf(LIMIT_WINDOWS).describe("when it counts from 0 again; concurrency has none"),
}
const moreFields = {
  tz: z.string().optional().describe("the time zone of the window (default: UTC)"),
  key: removable("only requests of this API key, by its id or its name"),
  provider: removable("only requests to this provider"),
  model: removable("only this model; gpt-5* means all that begin with gpt-5"),
  where: values.optional().describe("only requests with this metadata, by name; a value may end in *; replaces all"),
  per: removable("one amount for each value of: key, model, or a metadata name such as User-Id"),
  action: oneOf(["block", "warn"]).optional().describe("reject what does not fit (default), or only report it"),
  notify_at: z.array(z.number()).optional().describe("the percentages at which people are notified; replaces all"),
  estimate: oneOf(["expected", "maximum"]).optional().describe("what is reserved for a request (default: expected)"),
  unpriced: oneOf(["allow", "block"]).optional().describe("models without a known price under a limit on cost"),
  dry_run: z.boolean().default(false).describe("only check it, and return what it would be"),
}

export const limits = {
  list: defineRoute({
    name: "limits.list",
    method: "GET",
    path: "/limits",
    role: "viewer",
    summary: "all limits with what is left; of one with per, for the value that has used most",
    input: z.strictObject({
      key: z
        .string()
        .optional()
        .describe("only those that apply to all requests of this API key, by its id or its name"),
    }),
    output: z.array(listedLimit).readonly(),
    needs: ["database"],
    run: (context, { key }) => (key === undefined ? listLimits(context) : listLimitsOfKey(context, { key })),
  }),
  get: defineRoute({
    name: "limits.get",
    method: "GET",
    path: "/limits/{id}",
    role: "viewer",
    summary: "one limit with what is left",
    input: z.strictObject({ id }),
    output: listedLimit,
    needs: ["database"],
    run: (context, input) => getLimit(context, input),
  }),
  values: defineRoute({
    name: "limits.values",
    method: "GET",
    path: "/limits/{id}/values",
    role: "viewer",
    summary: "what is left of a limit for each value of its per, those that have used most first",
    input: z.strictObject({
      id,
      value: z.string().optional().describe("only this value; of per key, the id or the name of an API key"),
      limit: whole(1, 1000).default(20).describe("at most so many"),
    }),
    output: z.array(use).readonly(),
    needs: ["database"],
    run: (context, input) => listLimitValues(context, input),
  }),
  create: defineRoute({
    name: "limits.create",
    method: "POST",
    path: "/limits",
    role: "admin",
    summary: "create a limit; what its present window has used already counts",
    input: z.strictObject({
      name: z.string().describe("the name by which errors and reports show it"),
      ...fields,
      window: fields.window.optional(),
      ...moreFields,
    }),
    output: listedLimit,
    needs: ["database"],
    mayCreate: true,
    parse: ({ dry_run: isDryRun, ...given }) => ({ definition: parseLimitInput(given), isDryRun }),
    run: (context, input) => createLimit(context, input),
  }),
  update: defineRoute({
    name: "limits.update",
    method: "PATCH",
    path: "/limits/{id}",
    role: "admin",
    summary: "change a limit; nothing that was used is forgotten",
    input: z.strictObject({
      id,
      name: z.string().optional(),
      measure: fields.measure.optional(),
      amount: fields.amount.optional(),
      window: fields.window.optional(),
      ...moreFields,
    }),
    output: listedLimit,
    needs: ["database"],
    parse: ({ id, dry_run: isDryRun, ...changes }) => ({ id, changes, isDryRun }),
    run: (context, input) => updateLimit(context, input),
  }),
  delete: defineRoute({
    name: "limits.delete",
    method: "DELETE",
    path: "/limits/{id}",
    role: "admin",
    summary: "delete a limit, for every gateway of the database",
    input: z.strictObject({ id }),
    output: limit,
    needs: ["database"],
    run: (context, input) => deleteLimit(context, input),
  }),
  check: defineRoute({
    name: "limits.check",
    method: "POST",
    path: "/limits/check",
    role: "viewer",
    summary: "the limits that apply to a request and what is left of each, the tightest first; it changes nothing",
    input: z.strictObject({
      key: z.string().optional().describe("the API key of the request, by its id or its name"),
      provider: z.string().optional(),
      model: z.string().optional(),
      where: values.default({}).describe("the metadata of the request; the values that the key sets are added"),
    }),
    output: z.array(listedLimit).readonly(),
    needs: ["database"],
    run: (context, input) => checkLimits(context, input),
  }),
}
