import type { z } from "zod"
import { type AnyRoute, hasQuery, listPathParameters } from "./_route.ts"
import { ApiError } from "./problem.ts"

const MAX_BODY_BYTES = 1024 * 1024

/** A file is read piece by piece and never held as a whole. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024

/**
 * Returns the pieces of the file that a request sends as its body.
 *
 * @throws ApiError if there is none, or while it is read, if it is too large
 */
export function readFile({ body, headers }: Request): AsyncIterable<Uint8Array> {
  // A form of another website can send text and forms without asking, but neither of these types.
  if (!/^(?:text\/csv|application\/octet-stream)\s*(?:;|$)/i.test(headers.get("content-type") ?? "")) {
    throw new ApiError(
      "unsupported_media_type",
      "the body must be the file, with Content-Type: text/csv or application/octet-stream",
    )
  }
  if (body === null) throw new ApiError("invalid_input", "the body must be the file, and it is empty")
  return limitBytes(body as unknown as AsyncIterable<Uint8Array>, MAX_FILE_BYTES, "file")
}

async function* limitBytes(pieces: AsyncIterable<Uint8Array>, maxBytes: number, noun: string) {
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > maxBytes) throw new ApiError("input_too_large", `the ${noun} may have at most ${maxBytes} bytes`)
    yield piece
  }
}

/**
 * Reads the input of a request: the parameters of its path, and of its query (GET, DELETE, files) or its JSON body.
 *
 * @throws ApiError if the body is too large, or is no JSON object
 */
export async function readInput(
  route: AnyRoute,
  request: Request,
  parameters: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> {
  const given = hasQuery(route) ? readQuery(route, new URL(request.url).searchParams) : await readBody(request)
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
  const limited = limitBytes(body as unknown as AsyncIterable<Uint8Array>, MAX_BODY_BYTES, "body")
  for await (const piece of limited) pieces.push(piece)
  return Buffer.concat(pieces).toString("utf8")
}
