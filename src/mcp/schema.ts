import { type JsonSchema, toJsonSchema } from "../api/json-schema.ts"
import type { Tool } from "./_tool.ts"

type Properties = Readonly<Record<string, JsonSchema>>

/** Returns the schema of a tool's inputs: those of its route that a caller can give, and those of its pages. */
export function describeInput(tool: Tool, { timeZone }: { readonly timeZone: string }): JsonSchema {
  const { fixed = {}, renamed = {}, paging, route } = tool
  const { properties = {}, required = [] } = toJsonSchema(route.input, "input") as {
    properties?: Properties
    required?: readonly string[]
  }
  const open = Object.entries(properties).filter(([name]) => !Object.hasOwn(fixed, name) && !isOfPage(name, tool))
  const own = open.map(([name, schema]): readonly [string, JsonSchema] => {
    if (name === "tz") return [name, { ...schema, default: timeZone }]
    return renamed[name] ? [renamed[name].name, { ...schema, description: renamed[name].description }] : [name, schema]
  })
  const needed = own.map(([name]) => name).filter((name) => required.includes(name))
  return {
    type: "object",
    properties: { ...Object.fromEntries(own), ...(paging && describePage(paging)) },
    required: [...needed, ...Object.values(renamed).map(({ name }) => name)],
    additionalProperties: false,
  }
}

/** The tool has inputs of its own in the place of these. */
function isOfPage(name: string, { paging }: Tool): boolean {
  return paging !== undefined && (name === "limit" || name === "cursor")
}

function describePage({ noun, initial, max }: NonNullable<Tool["paging"]>): Properties {
  const limit = { type: "integer", minimum: 1, maximum: max, default: initial }
  return {
    limit: { ...limit, description: `at most so many ${noun}; an answer that would be too long has fewer` },
    cursor: { type: "string", description: "`next` of the answer before, for the next page" },
  }
}

/** Returns the schema of a tool's answer: that of its route's output, as an object. */
export function describeOutput({ route, paging }: Tool): JsonSchema {
  const { $defs, ...output } = toJsonSchema(route.output, "output")
  const { wrap } = paging ?? {}
  const list = { type: "object", properties: { [wrap ?? "items"]: output }, required: [wrap ?? "items"] }
  const answer = wrap === undefined ? (output as { properties?: Properties; required?: string[] }) : list
  const { properties, required = [] } = answer
  return {
    ...answer,
    ...(paging && { properties: { ...properties, next: NEXT }, required: [...new Set([...required, "next"])] }),
    ...($defs !== undefined && { $defs }),
  }
}

const NEXT = { type: ["string", "null"], description: "the cursor of the next page; null: there is none" }
