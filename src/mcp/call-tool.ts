import type { AnyRoute } from "../api/_route.ts"
import { NO_PARAMETER } from "../api/input.ts"
import { ApiError, explainError } from "../api/problem.ts"
import { explainSystemError } from "../core/errors.ts"
import type { Json } from "./_json.ts"
import type { Tool } from "./_tool.ts"
import { readPage } from "./paging.ts"

/** Calls a route, here or at a gateway, and returns its output. */
export type CallRoute = (route: AnyRoute, input: Json, options: { readonly signal: AbortSignal }) => Promise<unknown>

interface ToolContext {
  readonly call: CallRoute
  /** The time zone of periods and days, unless the caller gives one. */
  readonly timeZone: string
  readonly signal: AbortSignal
}

type Content = { type: "text"; text: string }
type ToolResult = { content: Content[]; structuredContent?: Record<string, unknown>; isError?: boolean }

/**
 * Answers one call of a tool. The first text says the most important thing. The second is the whole answer as JSON, because
 * many programs give a model only the texts. An error is a result, too: its message helps the model to ask again.
 */
export async function callTool(tool: Tool, given: Json, context: ToolContext): Promise<ToolResult> {
  try {
    // The answer of a route that ran in this process may contain dates.
    const answer = JSON.parse(JSON.stringify(await ask(tool, given, context))) as Record<string, unknown>
    const texts = [tool.summarize(answer), JSON.stringify(answer)]
    return { content: texts.map((text) => ({ type: "text", text })), structuredContent: answer }
  } catch (error) {
    if (context.signal.aborted) throw error
    return { content: [{ type: "text", text: toMessage(tool, error) }], isError: true }
  }
}

async function ask(tool: Tool, given: Json, { call, signal, timeZone }: ToolContext): Promise<Json> {
  const { route, paging, toAnswer = (output: unknown) => output as Json } = tool
  const input = toInput(tool, given, timeZone)
  if (paging === undefined) return toAnswer(await call(route, input, { signal }))
  const { limit, cursor, ...rest } = input
  return readPage(paging, async (more) => toAnswer(await call(route, { ...rest, ...more }, { signal })), {
    limit,
    cursor,
  })
}

/** Returns the input of the route for what a caller has given. @throws ApiError for an input that the tool does not have */
function toInput({ fixed = {}, renamed = {}, route }: Tool, given: Json, timeZone: string): Json {
  const names = new Map(Object.entries(renamed).map(([name, other]) => [other.name, name]))
  const hidden = Object.keys(given).find((name) => Object.hasOwn(fixed, name) || Object.hasOwn(renamed, name))
  if (hidden !== undefined) throw new ApiError("invalid_input", `${hidden}: ${NO_PARAMETER}`)
  const chosen = Object.entries(given)
    // Some models write null or an empty text for an input that they do not want to give.
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => [names.get(name) ?? name, value])
  const zone = Object.hasOwn(route.input.shape, "tz") ? { tz: timeZone } : {}
  const set = Object.entries(fixed).filter(([, value]) => value !== undefined)
  return { ...zone, ...Object.fromEntries(chosen), ...Object.fromEntries(set) }
}

function toMessage({ renamed = {} }: Tool, error: unknown): string {
  const { detail, field } = explainError(explainSystemError(error))
  if (field === undefined) return detail
  // The field may be what a caller has made up, such as `constructor`.
  return `${(Object.hasOwn(renamed, field) ? renamed[field]?.name : undefined) ?? field}: ${detail}`
}
