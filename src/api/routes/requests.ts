import { z } from "zod"
import { readBodies, toBodyObject } from "../../operations/requests/bodies.ts"
import { explainCost } from "../../operations/requests/explain.ts"
import { exportRequests } from "../../operations/requests/export.ts"
import { createExportLog } from "../../operations/requests/export-log.ts"
import { followRequests, MAX_ROWS_PER_POLL } from "../../operations/requests/follow.ts"
import { getRequest } from "../../operations/requests/get.ts"
import { parseRequestId, parseRequestIdStart } from "../../operations/requests/id.ts"
import { listRequests, parseCursor, toCursor } from "../../operations/requests/list.ts"
import { toRequestObject } from "../../operations/requests/row.ts"
import { readRollups } from "../../operations/usage/asker.ts"
import { toEmptyField } from "../../operations/usage/empty.ts"
import { notePendingRows } from "../../operations/usage/note-pending-rows.ts"
import { parseFilters } from "../../operations/usage/question.ts"
import { defineRoute, defineStream, FROM_REPLICA } from "../_route.ts"
import { EMPTY, FILTERS, parseChoice, toLimit, whole } from "./_usage-input.ts"

const { since: _since, until: _until, period: _period, month: _month, tz: _tz, ...filters } = FILTERS
const id = z.string().describe("the row's id, which the client received as X-Majordomo-Request-Id")
const request = z
  .record(z.string(), z.unknown())
  .describe("the columns of llm_requests by name, and the name of the key as key_name")
const sides = z.array(z.enum(["request", "response"])).readonly()
const kind = z.enum(["none", "json", "text", "binary"]).optional()

/** How many of the newest requests `tail` begins with, at most. */
export const MAX_FIRST_ROWS = MAX_ROWS_PER_POLL
export const TAIL_MESSAGES = {
  outage: "The gateway or its database is gone; waiting for it to come back (Ctrl-C ends).",
  recovered: "The database answers again.",
} as const

export const requests = {
  list: defineRoute({
    name: "requests.list",
    method: "GET",
    path: "/requests",
    role: "viewer",
    summary: "the newest requests, newest first",
    input: z.strictObject({
      ...FILTERS,
      trace: z.string().optional().describe("only the run of this trace or session"),
      limit: toLimit(20),
      cursor: z.string().optional().describe("`next` of the page before"),
    }),
    output: z.object({
      items: z.array(request).readonly(),
      next: z.string().nullable().describe("the cursor of the next page; null: there is none"),
      empty: EMPTY,
    }),
    ...FROM_REPLICA,
    parse: ({ limit, cursor, trace, ...choice }, now) => {
      const { period, filters } = parseChoice(choice, now, "1970-01-01")
      return { period, filters: { ...filters, trace }, limit, before: parseCursor(cursor) }
    },
    async run(context, question) {
      await notePendingRows(context)
      const rows = await listRequests(context, question)
      const items = rows.map(toRequestObject)
      const next = rows.length < question.limit ? null : toCursor(rows.at(-1)!)
      if (rows.length > 0 || question.before !== undefined) return { items, next }
      const rollups = await readRollups(context.database.query)
      return { items, next, ...(await toEmptyField(context, { requests: 0, question, rollups })) }
    },
  }),
  get: defineRoute({
    name: "requests.get",
    method: "GET",
    path: "/requests/{id}",
    role: "viewer",
    summary: "one request, and how its cost was computed",
    input: z.strictObject({ id }),
    output: z
      .object({ explanation: z.record(z.string(), z.unknown()).describe("the cost as a sum, line by line") })
      .catchall(z.unknown()),
    needs: ["database"],
    parse: (input) => ({ id: parseRequestIdStart(input.id) }),
    async run(context, input) {
      const row = await getRequest(context, input)
      return { ...toRequestObject(row), explanation: { ...explainCost(row) } }
    },
  }),
  body: defineRoute({
    name: "requests.body",
    method: "GET",
    path: "/requests/{id}/body",
    role: "auditor",
    summary: "the stored bodies of one request, from wherever they are",
    input: z.strictObject({ id }),
    output: z.object({
      request_body: z.string().nullable().optional().describe("a body that is not text is a data: URL"),
      response_body: z.string().nullable().optional(),
      bodies_from: z.enum(["none", "postgres", "s3", "unreadable"]),
      bodies_cut: sides.describe("the bodies of which only the beginning is stored"),
      bodies_kinds: z.object({ request: kind, response: kind }),
    }),
    needs: ["database", "bodies"],
    parse: (input) => ({ id: parseRequestId(input.id) }),
    async run(context, input) {
      const row = await getRequest(context, input)
      return toBodyObject(await readBodies(context, row), ["request", "response"])
    },
  }),
  tail: defineStream({
    name: "requests.tail",
    method: "GET",
    path: "/requests/tail",
    role: "viewer",
    summary: "requests as they are written, until the caller leaves",
    input: z.strictObject({
      ...filters,
      limit: whole(0, MAX_FIRST_ROWS).default(10).describe("begin with the newest"),
    }),
    item: request,
    needs: ["connect"],
    parse: ({ limit, ...filters }) => ({ filters: parseFilters(filters), first: limit }),
    async *run({ connect, signal, log }, input) {
      for await (const event of followRequests({ connect, signal }, input)) {
        if (event.type === "rows") yield* event.rows.map(toRequestObject)
        else log(TAIL_MESSAGES[event.type])
      }
    },
  }),
  export: defineStream({
    name: "requests.export",
    method: "GET",
    path: "/requests/export",
    role: "auditor",
    summary: "requests with their bodies, oldest first, one line of JSON each",
    input: z.strictObject(FILTERS),
    item: z.string(),
    isText: true,
    needs: ["database", "bodies"],
    readsReplica: true,
    parse: (choice, now) => parseChoice(choice, now, "1970-01-01"),
    async *run(context, question) {
      await notePendingRows(context)
      const log = createExportLog(context)
      const { total, lines } = await exportRequests({ ...context, onMissing: log.onMissing }, question)
      for await (const line of lines) {
        yield line
        log.onExported(total)
      }
      log.end()
    },
  }),
}
