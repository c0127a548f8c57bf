import { z } from "zod"
import { ROLES } from "../../core/actor.ts"
import { findOwnKey } from "../../operations/keys/find.ts"
import { getKey } from "../../operations/keys/get.ts"
import { listLimitsOf } from "../../operations/limits/check.ts"
import { parseZone } from "../../operations/usage/question.ts"
import { readSpending } from "../../operations/usage/spending.ts"
import { defineRoute, type RouteContext } from "../_route.ts"
import { ApiError } from "../problem.ts"
import { policy } from "./_key-policy.ts"
import { SUBSCRIPTION_VALUE } from "./_usage-input.ts"
import { listedLimit } from "./limits.ts"
import { usage } from "./usage.ts"

const spending = z.object({
  requests: z.number(),
  total_cost: z.string().nullable().describe("USD as a plain decimal; null: no price is known"),
  estimated: z.number().describe("requests whose cost is an estimate"),
  unpriced: z.number().describe("requests without a known price, which are not in the cost"),
  subscription_requests: z.number(),
  subscription_value: SUBSCRIPTION_VALUE,
})
const metadata = z.record(z.string(), z.string()).readonly()

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
  usage: defineRoute({
    name: "me.usage",
    method: "GET",
    path: "/me/usage",
    role: "public",
    summary: "what the API key of the header X-Majordomo-Key has used, by up to two dimensions",
    input: usage.report.input.omit({ key: true }),
    output: usage.report.output,
    needs: ["database", "http"],
    parse: (input, now) => usage.report.parse(input, now),
    async run(context, question) {
      const { id: key } = await findCallingKey(context)
      // A note may name directories of the gateway's machine, which are not for the holder of a key.
      const quiet = { ...context, log: () => {} }
      const report = await usage.report.run(quiet, { ...question, filters: { ...question.filters, key } })
      // It tells when the newest request of any key was.
      const { empty: _empty, ...own } = report
      return own
    },
  }),
  spending: defineRoute({
    name: "me.spending",
    method: "GET",
    path: "/me/spending",
    role: "public",
    summary:
      "what a session and today cost, and the limits: of the API key of the header X-Majordomo-Key, or with an admin token of all keys",
    input: z.strictObject({
      session: z.string().optional().describe("the id of a session or trace, such as that of Claude Code"),
      tz: z.string().default("UTC").describe("the time zone in which today began, such as Europe/Lisbon"),
    }),
    output: z.object({
      key: z.string().nullable().describe("the name of the API key; null: the numbers are those of all keys"),
      session: spending.nullable().describe("null: there is no request of the session yet"),
      today: spending,
      limits: z.array(listedLimit).readonly().describe("those that apply to all requests of the key; else all"),
    }),
    needs: ["database", "http"],
    parse: ({ session, tz }) => ({ session, tz: parseZone(tz) }),
    async run(context, { session, tz }) {
      const { http, access } = context
      if (!http.headers.has("x-majordomo-key")) {
        await access.authenticate(http, "viewer")
        return { key: null, ...(await readSpending(context, { key: undefined, session, tz })) }
      }
      const key = await findCallingKey(context)
      return { key: key.name, ...(await readSpending(context, { key, session, tz })) }
    },
  }),
  limits: defineRoute({
    name: "me.limits",
    method: "GET",
    path: "/me/limits",
    role: "public",
    summary: "the limits that apply to all requests of the API key of the header X-Majordomo-Key, and what is left",
    input: z.strictObject({}),
    output: z.array(listedLimit).readonly(),
    needs: ["database", "http"],
    run: async (context) => listLimitsOf(context, await findCallingKey(context)),
  }),
  key: defineRoute({
    name: "me.key",
    method: "GET",
    path: "/me/key",
    role: "public",
    summary:
      "the API key of the header X-Majordomo-Key: its name, what it may use, and the metadata that it sets and requires",
    input: z.strictObject({}),
    output: z.object({
      id: z.string(),
      name: z.string(),
      default_metadata: metadata.describe("values for requests that have none, by metadata name"),
      locked_metadata: metadata.describe("values that replace those of the client, by metadata name"),
      required_metadata: z.array(z.string()).readonly().describe("the names without which a request is rejected"),
      ...policy,
    }),
    needs: ["database", "http"],
    async run(context) {
      const key = await getKey(context, await findCallingKey(context))
      const { id, name, default_metadata, locked_metadata, required_metadata, expires_at, models, providers } = key
      return { id, name, default_metadata, locked_metadata, required_metadata, expires_at, models, providers }
    },
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

/** Returns the API key that calls. @throws ApiError if there is none */
async function findCallingKey(context: RouteContext<"database" | "http">) {
  const secret = context.http.headers.get("x-majordomo-key")
  const key = secret === null ? undefined : await findOwnKey(context, { secret })
  if (key !== undefined) return key
  throw new ApiError("unauthenticated", "this needs an API key that is neither revoked nor expired, as X-Majordomo-Key")
}
