import { z } from "zod"
import { parseAge } from "../../config/value-parsers.ts"
import { ROLES } from "../../core/actor.ts"
import { InputError } from "../../operations/input-error.ts"
import { createToken, discardToken } from "../../operations/tokens/create.ts"
import { listTokens } from "../../operations/tokens/list.ts"
import { revokeToken } from "../../operations/tokens/revoke.ts"
import { defineRoute } from "../_route.ts"

const token = z.object({
  id: z.string().describe("a UUID"),
  name: z.string(),
  role: z.enum(ROLES),
  status: z.enum(["active", "expired", "revoked"]),
  created_at: z.string().describe("ISO 8601"),
  created_by: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
})

const id = z.string().describe("the id of an admin token")

export const tokens = {
  list: defineRoute({
    name: "tokens.list",
    method: "GET",
    path: "/tokens",
    role: "viewer",
    summary: "all admin tokens, with their role and use",
    input: z.strictObject({}),
    output: z.array(token).readonly(),
    needs: ["database"],
    run: (context) => listTokens(context),
  }),
  create: defineRoute({
    name: "tokens.create",
    method: "POST",
    path: "/tokens",
    role: "admin",
    summary: "create an admin token; only this answer has its secret",
    input: z.strictObject({
      name: z.string().describe("who or what uses it"),
      role: z
        .enum(ROLES)
        .describe("viewer reads everything except bodies, auditor reads bodies too, admin changes things"),
      expires: z.string().optional().describe("how long it is valid, such as 90d; default: until it is revoked"),
    }),
    output: token.extend({ token: z.string().describe("the secret, which cannot be read again") }),
    needs: ["database"],
    mayCreate: true,
    parse: ({ expires, ...rest }) => ({ ...rest, expiresInMs: parseExpiry(expires) }),
    run: (context, input) => createToken(context, input),
  }),
  discard: defineRoute({
    name: "tokens.discard",
    method: "POST",
    path: "/tokens/{id}/discard",
    role: "admin",
    summary: "delete a new admin token whose secret could not be shown to anybody",
    input: z.strictObject({ id, token: z.string().describe("the secret") }),
    output: z.null(),
    needs: ["database"],
    run: async (context, input) => {
      await discardToken(context, input)
      return null
    },
  }),
  revoke: defineRoute({
    name: "tokens.revoke",
    method: "DELETE",
    path: "/tokens/{id}",
    role: "admin",
    summary: "reject an admin token from now on, and end the sessions of those who signed in with it",
    input: z.strictObject({ id: z.string().describe("the id of an admin token, the beginning of it, or its name") }),
    output: token.extend({ was_revoked_before: z.boolean().describe("nothing changed") }),
    needs: ["database"],
    run: (context, input) => revokeToken(context, input),
  }),
}

function parseExpiry(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseAge(text)
  if (ms === undefined)
    throw new InputError("expires", `expected an age such as 90d, 12w or 1y, got ${JSON.stringify(text)}`)
  return ms
}
