import { z } from "zod"
import { addProviderKey } from "../../operations/provider-keys/add.ts"
import { makeProviderKeyDefault, removeProviderKey, rotateProviderKey } from "../../operations/provider-keys/change.ts"
import { listProviderKeys } from "../../operations/provider-keys/list.ts"
import { defineRoute } from "../_route.ts"
import { gateways } from "./_gateways.ts"

const kind = z.enum(["key", "aws", "google"])

const providerKey = z.object({
  id: z.string().describe("a UUID"),
  provider: z.string(),
  alias: z.string().describe("its name among the keys of its provider"),
  kind: kind.describe("a key that is sent as it is, an access key of AWS, or a service account of Google"),
  status: z.enum(["active", "removed"]),
  is_default: z.boolean().describe("API keys use it that are bound to no other key of its provider"),
  last_four: z.string().describe("the last four characters of the key; nothing for a short one"),
  vault_key_id: z.string().nullable().describe("which vault key encrypted it"),
  created_at: z.string().describe("ISO 8601"),
  created_by: z.string(),
  rotated_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
  removed_at: z.string().nullable(),
})
const listed = providerKey.extend({
  bound_keys: z
    .array(z.object({ id: z.string(), name: z.string() }))
    .readonly()
    .describe("the API keys bound to it"),
})

const id = z.string().describe("the id of a provider key, the beginning of it, or PROVIDER:ALIAS")
const secret = z.string().describe("the key; two lines or JSON for aws, the JSON of a service account for google")

export const providerKeys = {
  list: defineRoute({
    name: "provider-keys.list",
    method: "GET",
    path: "/provider-keys",
    role: "viewer",
    summary: "all provider keys, without their secrets, and the API keys that are bound to them",
    input: z.strictObject({}),
    output: z.array(listed).readonly(),
    needs: ["database"],
    run: (context) => listProviderKeys(context),
  }),
  add: defineRoute({
    name: "provider-keys.add",
    method: "POST",
    path: "/provider-keys",
    role: "admin",
    summary: "store a provider key, encrypted; no answer has its secret",
    input: z.strictObject({
      provider: z.string().describe("a provider of the settings"),
      alias: z.string().optional().describe("its name; default: default"),
      kind: kind.optional().describe("default: key"),
      default: z.boolean().optional().describe("make it the default; the first key of a provider always is"),
      secret,
    }),
    output: providerKey,
    needs: ["database"],
    mayCreate: true,
    parse: ({ alias = "default", kind = "key", default: isDefault = false, ...input }) => ({
      ...input,
      alias,
      kind,
      isDefault,
    }),
    run: (context, input) => addProviderKey(context, input),
  }),
  update: defineRoute({
    name: "provider-keys.update",
    method: "PATCH",
    path: "/provider-keys/{id}",
    role: "admin",
    summary: "make a provider key the default of its provider",
    input: z.strictObject({ id, default: z.literal(true) }),
    output: providerKey,
    needs: ["database"],
    run: (context, input) => makeProviderKeyDefault(context, input),
  }),
  rotate: defineRoute({
    name: "provider-keys.rotate",
    method: "POST",
    path: "/provider-keys/{id}/rotate",
    role: "admin",
    summary: "replace the secret of a provider key; its name and its bindings stay",
    input: z.strictObject({ id, secret, kind: kind.optional().describe("default: as before") }),
    output: providerKey,
    needs: ["database"],
    run: (context, input) => rotateProviderKey(context, input),
  }),
  remove: defineRoute({
    name: "provider-keys.remove",
    method: "POST",
    path: "/provider-keys/{id}/remove",
    role: "admin",
    summary: "delete the secret of a provider key; API keys that are bound to it are rejected from now on",
    input: z.strictObject({ id }),
    output: listed.extend({
      left_without_default: z.number().describe("how many keys the provider has, if none of them is the default"),
      gateways,
    }),
    needs: ["database"],
    run: (context, input) => removeProviderKey(context, input),
  }),
}
