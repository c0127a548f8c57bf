import { z } from "zod"
import { createKey, discardKey } from "../../operations/keys/create.ts"
import { getKey } from "../../operations/keys/get.ts"
import { parseKeyLimits } from "../../operations/keys/limits.ts"
import { listKeys } from "../../operations/keys/list.ts"
import { parseGrace, parsePolicy } from "../../operations/keys/policy.ts"
import { revokeKey } from "../../operations/keys/revoke.ts"
import { rotateKey } from "../../operations/keys/rotate.ts"
import { updateKey } from "../../operations/keys/update.ts"
import { defineRoute } from "../_route.ts"
import { gateways } from "./_gateways.ts"
import { keyLimits, policy, policyInput } from "./_key-policy.ts"
import { addKeyFields } from "./go/fields.ts"

const metadata = z.record(z.string(), z.string()).readonly()
const key = z.object({
  id: z.string().describe("a UUID"),
  name: z.string(),
  description: z.string().nullable(),
  discount_percent: z.string().nullable().describe('the discount on list prices for this key, in percent: "12.5"'),
  provider_keys: z
    .array(z.object({ provider: z.string(), id: z.string(), alias: z.string(), removed: z.boolean() }))
    .readonly()
    .describe("the provider keys that it is bound to"),
  default_metadata: metadata.describe("values for requests that have none, by metadata name"),
  locked_metadata: metadata.describe("values that replace those of the client, by metadata name"),
  required_metadata: z.array(z.string()).readonly().describe("the metadata names without which a request is rejected"),
  ...policy,
  previous_secret_until: z
    .string()
    .nullable()
    .describe("until when the secret before the last rotation works; null: it does not"),
  limits: keyLimits,
  status: z.enum(["active", "expired", "revoked"]),
  created_at: z.string().describe("ISO 8601"),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  request_count: z.number(),
})

const id = z.string().describe("the id of an API key, the beginning of its id, or its name")
const changes = {
  description: z.string().optional().describe("what it is for"),
  discount: z.string().optional().describe("what the provider takes off its list prices for this key, in percent"),
  provider_keys: z
    .array(z.string())
    .optional()
    .describe("the provider keys to bind it to, such as openai:team-a; openai: ends the binding"),
  default_metadata: metadata.optional().describe("values for requests that have none, by metadata name; replaces all"),
  locked_metadata: metadata
    .optional()
    .describe("values that replace those of the client, by metadata name; replaces all"),
  required_metadata: z
    .array(z.string())
    .optional()
    .describe("the names without which a request is rejected; replaces all"),
  ...policyInput,
}

/** Parses the policy and the limits that somebody wrote for a key. */
function parseChanges<I extends z.output<z.ZodObject<typeof policyInput>>>(input: I, now: number) {
  const { expires, models, providers, budget, rpm, tpm, concurrency, ...rest } = input
  const limits = parseKeyLimits({ budget, rpm, tpm, concurrency })
  return { ...rest, policy: parsePolicy({ expires, models, providers }, now), limits }
}

export const keys = {
  list: defineRoute({
    name: "keys.list",
    method: "GET",
    path: "/keys",
    role: "viewer",
    summary: "all API keys, with their status and use",
    input: z.strictObject({}),
    output: z.array(key).readonly(),
    needs: ["database"],
    addGoFields: (keys) => keys.map(addKeyFields),
    run: (context) => listKeys(context),
  }),
  get: defineRoute({
    name: "keys.get",
    method: "GET",
    path: "/keys/{id}",
    role: "viewer",
    summary: "one API key",
    input: z.strictObject({ id }),
    output: key,
    needs: ["database"],
    run: (context, input) => getKey(context, input),
  }),
  create: defineRoute({
    name: "keys.create",
    method: "POST",
    path: "/keys",
    role: "admin",
    summary: "create an API key; only this answer has its secret",
    input: z.strictObject({ name: z.string().describe("the name by which reports show it"), ...changes }),
    output: key.extend({
      key: z.string().describe("the secret, which cannot be read again"),
      namesakes: z.number().optional().describe("the other active keys with this name"),
    }),
    needs: ["database"],
    mayCreate: true,
    addGoFields: addKeyFields,
    parse: parseChanges,
    run: (context, input) => createKey(context, input),
  }),
  discard: defineRoute({
    name: "keys.discard",
    method: "POST",
    path: "/keys/{id}/discard",
    role: "admin",
    summary: "take back the secret of a new or rotated API key that could not be shown to anybody",
    input: z.strictObject({ id, key: z.string().describe("the secret") }),
    output: z.null(),
    needs: ["database"],
    run: async (context, input) => {
      await discardKey(context, input)
      return null
    },
  }),
  update: defineRoute({
    name: "keys.update",
    method: "PATCH",
    path: "/keys/{id}",
    role: "admin",
    summary:
      "change the name, the description, the discount, the metadata, the provider keys, the policy or the limits of an API key",
    input: z.strictObject({ id, name: z.string().optional(), ...changes }),
    output: key,
    needs: ["database"],
    parse: parseChanges,
    run: (context, input) => updateKey(context, input),
  }),
  revoke: defineRoute({
    name: "keys.revoke",
    method: "POST",
    path: "/keys/{id}/revoke",
    role: "admin",
    summary: "reject an API key from now on, on every running gateway",
    input: z.strictObject({ id }),
    output: key.extend({ was_revoked_before: z.boolean().describe("nothing changed"), gateways }),
    needs: ["database"],
    run: (context, input) => revokeKey(context, input),
  }),
  rotate: defineRoute({
    name: "keys.rotate",
    method: "POST",
    path: "/keys/{id}/rotate",
    role: "admin",
    summary: "replace the secret of an API key; only this answer has the new one",
    input: z.strictObject({
      id,
      grace: z
        .string()
        .optional()
        .describe("how long the old secret still works, such as 24h; default: not at all. A second rotation ends it"),
    }),
    output: key.extend({
      key: z.string().describe("the new secret, which cannot be read again"),
      gateways: gateways.describe("the gateways that know of the rotation, and those that did not answer"),
    }),
    needs: ["database"],
    parse: ({ id, grace }) => ({ id, graceMs: parseGrace(grace) }),
    run: (context, input) => rotateKey(context, input),
  }),
}
