import { requests } from "../../api/routes/requests.ts"
import { type Bodies, fromBodyObject, type Sides, toBodyObject } from "../../operations/requests/bodies.ts"
import type { RequestRow } from "../../operations/requests/row.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { printBytes, renderBodies, toSides } from "./_bodies.ts"
import { renderExplanation } from "./_explain.ts"
import { toZone } from "./_options.ts"
import { renderRequest } from "./_request.ts"

export default defineCommand({
  meta: { name: "request", description: "one request; --explain prints the sum of its cost line by line" },
  args: {
    id: {
      type: "positional",
      required: true,
      description: "the row's id, which the client received as X-Majordomo-Request-Id, or its beginning",
    },
    explain: { type: "boolean", description: "how its cost was computed" },
    body: {
      type: "boolean",
      description: "its bodies, from wherever they are; in a pipe: their bytes and nothing else",
    },
    request: { type: "boolean", description: "only the body of the request" },
    response: { type: "boolean", description: "only the body of the response" },
    tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --explain",
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --body",
  ],
  async run({ args }) {
    const { id } = args
    const tz = toZone(args.tz)
    const sides = toSides(args)
    const { explanation, ...row } = await call(args, requests.get, { id })
    const bodies =
      sides.length === 0 ? undefined : fromBodyObject(await call(args, requests.body, { id: String(row["id"]) }))
    const shown = { row, bodies, sides, isExplained: args.explain === true }
    if (args.json) {
      const explained = shown.isExplained ? { explanation } : {}
      printJson({ ...row, ...explained, ...(bodies && toBodyObject(bodies, sides)) })
    } else if (bodies && !args.explain && findScreen().width === undefined) await printBytes(bodies, sides)
    else print(renderAll(shown, tz))
  },
})

interface Shown {
  readonly row: RequestRow
  readonly bodies: Bodies | undefined
  readonly sides: Sides
  readonly isExplained: boolean
}

function renderAll({ row, bodies, sides, isExplained }: Shown, tz: string): string {
  const parts = [renderRequest(row, tz)]
  if (isExplained) parts.push(renderExplanation(row, findScreen()))
  if (bodies) parts.push(renderBodies(bodies, sides))
  return parts.join("\n\n")
}
