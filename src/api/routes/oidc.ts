import { z } from "zod"
import { defineRoute } from "../_route.ts"

/** The two halves of a sign-in at the OpenID Connect provider. Browsers open them. */
export const oidc = {
  start: defineRoute({
    name: "oidc.start",
    method: "GET",
    path: "/oidc/start",
    role: "public",
    summary: "redirect the browser to the OpenID Connect provider, to sign in to the dashboard",
    input: z.strictObject({}),
    output: z.void(),
    redirects: true,
    needs: ["http"],
    run: ({ http, access }) => access.oidc.start(http),
  }),
  callback: defineRoute({
    name: "oidc.callback",
    method: "GET",
    path: "/oidc/callback",
    role: "public",
    summary: "where the OpenID Connect provider sends the browser back; redirects it to the dashboard",
    // Providers add parameters of their own.
    input: z.looseObject({ code: z.unknown().optional(), state: z.unknown().optional() }),
    output: z.void(),
    redirects: true,
    needs: ["http"],
    run: ({ http, access }) => access.oidc.finish(http),
  }),
}
