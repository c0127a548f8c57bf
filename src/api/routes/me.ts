import { z } from "zod"
import { ROLES } from "../../core/actor.ts"
import { defineRoute } from "../_route.ts"

export const me = {
  get: defineRoute({
    name: "me.get",
    method: "GET",
    path: "/me",
    role: "viewer",
    summary: "who calls",
    input: z.strictObject({}),
    output: z.object({
      kind: z.enum(["token", "session", "command"]),
      name: z.string(),
      role: z.enum(ROLES),
      id: z.string().nullable(),
    }),
    needs: [],
    run: ({ actor: { kind, name, role, id } }) => ({ kind: kind as "token" | "session" | "command", name, role, id }),
  }),
  signIn: defineRoute({
    name: "me.sign-in",
    method: "GET",
    path: "/sign-in",
    role: "public",
    summary: "the ways to sign in to the dashboard",
    input: z.strictObject({}),
    output: z.object({ oidc: z.boolean().describe("whether an OpenID Connect provider is configured") }),
    needs: [],
    run: ({ settings }) => ({ oidc: settings.admin.oidc.issuer !== undefined }),
  }),
}
