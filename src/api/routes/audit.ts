import { z } from "zod"
import { getAuditEntry, listAudit } from "../../operations/audit/list.ts"
import { parsePeriod } from "../../operations/usage/question.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"

const entry = z.object({
  id: z.string().describe("a UUID"),
  at: z.string().describe("ISO 8601"),
  actor_kind: z.string().describe("token, session, command (on the gateway's machine), gateway, or anonymous"),
  actor_name: z.string(),
  actor_id: z.string().nullable().describe("the id of the token or session"),
  address: z.string().nullable().describe("the IP address of the client"),
  action: z.string().describe("such as keys.revoke"),
  target: z.string().nullable().describe("the id or the name of what was changed"),
  before: z.unknown(),
  after: z.unknown(),
})

export const audit = {
  list: defineRoute({
    name: "audit.list",
    method: "GET",
    path: "/audit",
    role: "viewer",
    summary: "who changed what, when and from where, the newest first",
    input: z.strictObject({
      since: z.string().optional().describe("from then on: 7d, 24h, 2026-11-01, today or month"),
      limit: z.coerce.number().int().min(1).max(1000).default(100).describe("at most so many"),
      cursor: z.uuid().optional().describe("the next of the page before"),
    }),
    output: z.object({ items: z.array(entry).readonly(), next: z.string().nullable() }),
    ...FROM_REPLICA,
    parse: ({ since, ...rest }, now) => ({
      ...rest,
      since: since === undefined ? undefined : parsePeriod({ since, until: undefined, tz: "UTC" }, now).since,
    }),
    run: (context, { since, limit, cursor }) => listAudit(context, { since, limit, cursor }),
  }),
  get: defineRoute({
    name: "audit.get",
    method: "GET",
    path: "/audit/{id}",
    role: "viewer",
    summary: "one change, with what it was before and after",
    input: z.strictObject({ id: z.uuid().describe("the id of the entry") }),
    output: entry,
    needs: ["database"],
    run: (context, input) => getAuditEntry(context, input),
  }),
}
