import { z } from "zod"
import { followRequests, MAX_ROWS_PER_POLL } from "../../operations/requests/follow.ts"
import { toRequestObject } from "../../operations/requests/row.ts"
import { parseFilters } from "../../operations/usage/question.ts"
import { defineStream } from "../_route.ts"
import { FILTERS } from "./_usage-input.ts"

const { since: _since, until: _until, tz: _tz, ...filters } = FILTERS

const request = z.looseObject({ id: z.string() }).describe("a row of llm_requests, and the name of its key as key_name")

const MESSAGES = {
  outage: "The gateway or its database is gone; waiting for it to come back (Ctrl-C ends).",
  recovered: "The database answers again.",
} as const

export const requests = {
  tail: defineStream({
    name: "requests.tail",
    method: "GET",
    path: "/requests/tail",
    role: "viewer",
    summary: "requests as they are written, until the caller leaves",
    input: z.strictObject({
      ...filters,
      limit: z.coerce.number().int().min(0).max(MAX_ROWS_PER_POLL).default(10).describe("begin with the newest"),
    }),
    item: request,
    needs: ["connect"],
    parse: ({ limit, ...filters }) => ({ filters: parseFilters(filters), first: limit }),
    async *run({ connect, signal, log }, input) {
      for await (const event of followRequests({ connect, signal }, input)) {
        if (event.type === "rows") yield* event.rows.map(toRequestObject) as { id: string }[]
        else log(MESSAGES[event.type])
      }
    },
  }),
}
