import { withBodies } from "../../operations/open/bodies.ts"
import { type Bodies, readBodies, type Sides, toBodyObject } from "../../operations/requests/bodies.ts"
import { explainCost } from "../../operations/requests/explain.ts"
import { getRequest } from "../../operations/requests/get.ts"
import { parseRequestId } from "../../operations/requests/id.ts"
import { type RequestRow, toRequestObject } from "../../operations/requests/row.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
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
      description: "the row's id, which the client received as X-Majordomo-Request-Id",
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
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --explain",
    "majordomo-gateway usage request 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d --body",
  ],
  async run({ args }) {
    const id = parseRequestId(args.id)
    const tz = toZone(args.tz)
    const sides = toSides(args)
    await withDatabase(args.config, async (context) => {
      const row = await getRequest(context, { id })
      const bodies =
        sides.length === 0
          ? undefined
          : await withBodies(context.settings, (opened) => readBodies({ ...context, ...opened }, row))
      const shown = { row, bodies, sides, isExplained: args.explain === true }
      if (args.json) printJson(toObject(shown))
      else if (bodies && !args.explain && findScreen().width === undefined) await printBytes(bodies, sides)
      else print(renderAll(shown, tz))
    })
  },
})

interface Shown {
  readonly row: RequestRow
  readonly bodies: Bodies | undefined
  readonly sides: Sides
  readonly isExplained: boolean
}

function toObject({ row, bodies, sides, isExplained }: Shown): Record<string, unknown> {
  const explanation = isExplained ? { explanation: explainCost(row) } : {}
  return { ...toRequestObject(row), ...explanation, ...(bodies && toBodyObject(bodies, sides)) }
}

function renderAll({ row, bodies, sides, isExplained }: Shown, tz: string): string {
  const parts = [renderRequest(row, tz)]
  if (isExplained) parts.push(renderExplanation(row, findScreen()))
  if (bodies) parts.push(renderBodies(bodies, sides))
  return parts.join("\n\n")
}
