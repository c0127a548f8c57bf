import type { z } from "zod"
import { type AnyRoute, hasQuery, listPathParameters } from "./_route.ts"
import { BASE } from "./handle.ts"
import { type JsonSchema as Json, toJsonSchema } from "./json-schema.ts"
import { isList } from "./read-input.ts"

/** Returns the OpenAPI 3.1 document of routes, from the same schemas that check their inputs. */
export function describeRoutes(routes: readonly AnyRoute[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {}
  const schemas: Record<string, unknown> = { Problem: PROBLEM }
  for (const route of routes) {
    paths[route.path] ??= {}
    paths[route.path]![route.method.toLowerCase()] = describeRoute(route, schemas)
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "majordomo-gateway",
      version,
      description: "The admin API: what did our LLM calls cost, and who spent it? Money is USD as decimal text.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: BASE }],
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "an admin token" },
        session: { type: "apiKey", in: "cookie", name: "majordomo_session" },
      },
      schemas,
      responses: {
        Problem: {
          description: "the call was rejected, or failed",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  }
}

const PROBLEM = {
  type: "object",
  required: ["type", "title", "status", "detail", "error", "code"],
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "what happened, why, and what to do" },
    error: { type: "string", description: "the detail again" },
    code: { type: "string" },
    field: { type: "string", description: "the parameter that is not valid" },
  },
}

function describeRoute(route: AnyRoute, schemas: Record<string, unknown>): Json {
  const { name, summary, role } = route
  const { properties = {}, required = [] } = toSchema(route.input, "input", schemas) as {
    properties?: Record<string, Json>
    required?: readonly string[]
  }
  const inPath = listPathParameters(route.path)
  const others = Object.keys(properties).filter((each) => !inPath.includes(each))
  const isQuery = hasQuery(route)
  const parameters = [
    ...inPath.map((each) => ({
      name: each,
      in: "path",
      required: true,
      schema: properties[each] ?? { type: "string" },
    })),
    ...(isQuery ? others.map((each) => describeParameter(route, each, properties[each]!, required)) : []),
  ]
  return {
    operationId: name,
    tags: [name.split(".")[0]],
    summary,
    description: `Needs the role ${role}.`,
    ...(parameters.length > 0 && { parameters }),
    ...(!isQuery && others.length > 0 && { requestBody: describeBody(others, properties, required) }),
    ...(route.needs.includes("file") && { requestBody: FILE_BODY }),
    responses: { ...describeAnswer(route, schemas), default: { $ref: "#/components/responses/Problem" } },
  }
}

const FILE_BODY = { required: true, content: { "text/csv": {}, "application/octet-stream": {} } }

function describeParameter({ input }: AnyRoute, name: string, schema: Json, required: readonly string[]): Json {
  const shape = (input as z.ZodObject).shape
  return {
    name,
    in: "query",
    required: required.includes(name),
    schema,
    ...(isList(shape[name]!) && { style: "form", explode: true }),
  }
}

function describeBody(names: readonly string[], properties: Record<string, Json>, required: readonly string[]): Json {
  const needed = names.filter((name) => required.includes(name))
  const schema = {
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
    additionalProperties: false,
    ...(needed.length > 0 && { required: needed }),
  }
  return { required: needed.length > 0, content: { "application/json": { schema } } }
}

function describeAnswer(route: AnyRoute, schemas: Record<string, unknown>): Json {
  if (!route.redirects) return { 200: describeOutput(route, schemas) }
  return { 303: { description: route.summary, headers: { Location: { schema: { type: "string" } } } } }
}

function describeOutput(route: AnyRoute, schemas: Record<string, unknown>): Json {
  const [type, schema] =
    "item" in route ? (["application/x-ndjson", route.item] as const) : (["application/json", route.output] as const)
  return { description: route.summary, content: { [type]: { schema: toSchema(schema, "output", schemas) } } }
}

/** Returns a schema as JSON Schema. Those that refer to themselves are added to `schemas` by their names. */
function toSchema(schema: z.ZodType, io: "input" | "output", schemas: Record<string, unknown>): Json {
  const text = JSON.stringify(toJsonSchema(schema, io)).replaceAll("#/$defs/", "#/components/schemas/")
  const { $defs, ...rest } = JSON.parse(text) as Json
  Object.assign(schemas, $defs)
  return rest
}
