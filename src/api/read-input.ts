import type { z } from "zod"
import { type AnyRoute, listPathParameters } from "./_route.ts"
import { ApiError } from "./problem.ts"

const MAX_BODY_BYTES = 1024 * 1024

/**
 * Reads the input of a request: the parameters of its path, and of its query (GET, DELETE) or its JSON body.
 *
 * @throws ApiError if the body is too large, or is no JSON object
 */
export async function readInput(
  route: AnyRoute,
  request: Request,
  parameters: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const isQuery = route.method === "GET" || route.method === "DELETE"
  const given = isQuery ? readQuery(route, new URL(request.url).searchParams) : await readBody(request)
  const twice = listPathParameters(route.path).find((name) => Object.hasOwn(given, name))
  if (twice !== undefined)
    throw new ApiError("invalid_input", `${twice} stands in the path, and may not be given twice`)
  return { ...given, ...parameters }
}

function readQuery({ input }: AnyRoute, query: URLSearchParams): Record<string, unknown> {
  const shape = (input as z.ZodObject).shape
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const values = query.getAll(name)
      return [name, values.length > 1 || (Object.hasOwn(shape, name) && isList(shape[name]!)) ? values : values[0]]
    }),
  )
}

/** Whether a schema takes a list, which may be optional or have a default. */
export function isList(schema: z.core.$ZodType): boolean {
  const { type, innerType } = schema._zod.def as { readonly type: string; readonly innerType?: z.core.$ZodType }
  return type === "array" || (innerType !== undefined && isList(innerType))
}

async function readBody(request: Request): Promise<Record<string, unknown>> {
  const text = await readText(request)
  if (text === "") return {}
  const type = request.headers.get("content-type") ?? ""
  // A form of another website can send every other type without asking.
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new ApiError("unsupported_media_type", "the body must be JSON, with Content-Type: application/json")
  }
  const value = parseJson(text)
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ApiError("invalid_input", "the body must be a JSON object")
  }
  return value as Record<string, unknown>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError("invalid_input", "the body is not valid JSON")
  }
}

async function readText({ body }: Request): Promise<string> {
  if (body === null) return ""
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += piece.length
    if (bytes > MAX_BODY_BYTES)
      throw new ApiError("input_too_large", `the body may have at most ${MAX_BODY_BYTES} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString("utf8")
}
