import { z } from "zod"
import { CommandError, NotFoundError } from "../../../core/errors.ts"
import { type ReadBody, readBodies } from "../../../operations/requests/bodies.ts"
import { getRequest } from "../../../operations/requests/get.ts"
import { parseRequestId } from "../../../operations/requests/id.ts"
import { listRequests } from "../../../operations/requests/list.ts"
import { reportUsage } from "../../../operations/usage/report.ts"
import { defineRoute, FROM_REPLICA } from "../../_route.ts"
import { usd } from "./_money.ts"
import { parseChoice, parsePage, QUESTION } from "./_question.ts"
import { toDetail, toItem, toRecentError } from "./_request.ts"

const id = z.string().describe("the id of a request")
const item = z.looseObject({
  id: z.string(),
  provider: z.string(),
  model: z.string(),
  requested_at: z.string(),
  status_code: z.number(),
  total_cost: usd,
})

export const requests = {
  list: defineRoute({
    name: "go.requests",
    method: "POST",
    path: "/usage/requests",
    role: "viewer",
    summary: "requests, the newest first, as the Go gateway gives them",
    input: z.object(QUESTION),
    output: z.object({ requests: z.array(item), numRecords: z.number().describe("the number of all such requests") }),
    ...FROM_REPLICA,
    parse: (body, now) => ({ choice: parseChoice(body, now), page: parsePage(body, { initial: 50, max: 200 }) }),
    async run(context, { choice, page }) {
      const { answer } = await reportUsage(context, { ...choice, by: [] })
      const rows = await listRequests(context, { ...choice, ...page })
      return { requests: rows.map(toItem), numRecords: answer.total.requests }
    },
  }),
  recentErrors: defineRoute({
    name: "go.recent_errors",
    method: "POST",
    path: "/usage/errors/recent",
    role: "viewer",
    summary: "the newest requests that failed, as the Go gateway gives them",
    input: z.object(QUESTION),
    output: z.array(z.looseObject({ id: z.string(), status_code: z.number(), requested_at: z.string() })),
    ...FROM_REPLICA,
    parse: (body, now) => ({
      ...parseChoice({ ...body, status_class: "error" }, now),
      limit: parsePage(body, { initial: 20, max: 100 }).limit,
    }),
    run: async (context, question) => (await listRequests(context, question)).map(toRecentError),
  }),
  get: defineRoute({
    name: "go.request",
    method: "GET",
    path: "/usage/requests/{id}",
    role: "viewer",
    summary: "one request, as the Go gateway gives it",
    input: z.object({ id }),
    output: item,
    needs: ["database"],
    parse: ({ id }) => ({ id: parseRequestId(id) }),
    run: async (context, input) => toDetail(await getRequest(context, input)),
  }),
  body: defineRoute({
    name: "go.request_body",
    method: "GET",
    path: "/usage/requests/{id}/body",
    role: "auditor",
    summary: "the stored bodies of one request, as the Go gateway gives them",
    input: z.object({ id }),
    output: z.object({
      request_id: z.string(),
      timestamp: z.string(),
      request: z.object({ method: z.string(), path: z.string(), body: z.unknown() }),
      response: z.object({ status_code: z.number(), body: z.unknown() }),
    }),
    needs: ["database", "bodies"],
    parse: ({ id }) => ({ id: parseRequestId(id) }),
    async run(context, input) {
      const row = await getRequest(context, input)
      const { source, request, response } = await readBodies(context, row)
      if (source === "none") throw new NotFoundError("no bodies of this request are stored")
      if (source === "unreadable") {
        throw new CommandError("the bodies of this request are in S3, and could not be read: run doctor, or try again")
      }
      const { id, requested_at, request_method, request_path, status_code } = toDetail(row)
      return {
        request_id: id,
        timestamp: requested_at,
        request: { method: request_method, path: request_path, body: toValue(request) },
        response: { status_code, body: toValue(response) },
      }
    },
  }),
}

/** Returns a body as a JSON value: JSON as it is, any other text as a string, and other bytes as a `data:` URL. */
function toValue(body: ReadBody): unknown {
  if (body.kind === "none") return undefined
  if (body.kind === "binary") return `data:application/octet-stream;base64,${body.base64}`
  return body.kind === "json" ? JSON.parse(body.text) : body.text
}
