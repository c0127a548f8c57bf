import { z } from "zod"
import { ROLES } from "../../core/actor.ts"
import { InputError } from "../../operations/input-error.ts"
import { createSignInCode } from "../../operations/sessions/create-code.ts"
import { listSessions } from "../../operations/sessions/list.ts"
import { revokeSession } from "../../operations/sessions/revoke.ts"
import type { Proof } from "../../operations/sessions/sign-in.ts"
import { defineRoute } from "../_route.ts"
import { toCookie } from "../http.ts"
import { ApiError } from "../problem.ts"

const session = z.object({
  id: z.string().describe("a UUID"),
  name: z.string().describe("the name of the token or the person"),
  role: z.enum(ROLES),
  how: z.enum(["token", "code", "oidc"]),
  token_id: z.string().nullable(),
  address: z.string().nullable(),
  status: z.enum(["active", "expired", "ended"]),
  created_at: z.string().describe("ISO 8601"),
  expires_at: z.string(),
  last_seen_at: z.string(),
})

const own = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  expires_at: z.string().describe("ISO 8601"),
  csrf_token: z.string().describe("what calls that change something send as X-CSRF-Token"),
})

const id = z.string().describe("the id of a session")

export const sessions = {
  create: defineRoute({
    name: "sessions.create",
    method: "POST",
    path: "/sessions",
    role: "public",
    summary: "sign in to the dashboard with an admin token, or with the code of a link of the command dashboard",
    input: z.strictObject({ token: z.string().optional(), code: z.string().optional() }),
    output: own,
    needs: ["http"],
    parse: parseProof,
    run: async ({ http, access }, proof) => {
      const created = await access.signIn(http, proof)
      http.reply.status = 201
      return created
    },
  }),
  own: defineRoute({
    name: "sessions.own",
    method: "GET",
    path: "/session",
    role: "public",
    summary: "the session of this browser",
    input: z.strictObject({}),
    output: own,
    needs: ["http"],
    run: async ({ http, access }) => {
      const found = await access.findOwnSession(http)
      if (found === undefined) throw new ApiError("unauthenticated", "nobody is signed in here")
      return found
    },
  }),
  end: defineRoute({
    name: "sessions.end",
    method: "DELETE",
    path: "/session",
    role: "viewer",
    summary: "sign out",
    input: z.strictObject({}),
    output: session,
    needs: ["database", "http"],
    run: async ({ http, ...context }) => {
      const { actor } = context
      if (actor.kind !== "session" || actor.id === null) {
        throw new ApiError("rejected", "this call was made with a token, which has no session to end")
      }
      const ended = await revokeSession(context, { id: actor.id })
      http.reply.headers.append("Set-Cookie", toCookie(http, "", 0))
      return ended
    },
  }),
  list: defineRoute({
    name: "sessions.list",
    method: "GET",
    path: "/sessions",
    role: "viewer",
    summary: "who signed in to the dashboard in the last 30 days, the newest first",
    input: z.strictObject({}),
    output: z.array(session).readonly(),
    needs: ["database"],
    run: (context) => listSessions(context),
  }),
  revoke: defineRoute({
    name: "sessions.revoke",
    method: "DELETE",
    path: "/sessions/{id}",
    role: "admin",
    summary: "end a session from now on",
    input: z.strictObject({ id }),
    output: session,
    needs: ["database"],
    run: (context, input) => revokeSession(context, input),
  }),
  code: defineRoute({
    name: "sessions.code",
    method: "POST",
    path: "/sign-in-codes",
    role: "admin",
    summary: "create a code that signs in to the dashboard once, within a minute",
    input: z.strictObject({}),
    output: z.object({ code: z.string(), expires_at: z.string() }),
    needs: ["database"],
    run: (context) => createSignInCode(context),
  }),
}

function parseProof({ token, code }: { token?: string | undefined; code?: string | undefined }): Proof {
  if (token !== undefined && code === undefined) return { token }
  if (code !== undefined && token === undefined) return { code }
  throw new InputError("token", "expected either a token or a code")
}
