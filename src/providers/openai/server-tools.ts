import type { Part, Units } from "../../core/usage.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"
import { readUsage } from "./usage.ts"

/** The server tools that ran for one answer. */
export interface ServerTools {
  /** Calls by item type. The row's `usage` keeps them as `server_tool_calls`. */
  readonly calls: Readonly<Record<string, number>>
  /** Code interpreter containers, each counted once. */
  readonly containers: number
}

const COUNTED = new Set(["web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"])

/**
 * Counts the server tools of a Responses answer, which its usage does not hold: they are items of `output`. A web search
 * is billed when its action is a search; opening a page or looking through it is not. undefined: no tool ran.
 */
export function findServerTools(output: unknown): ServerTools | undefined {
  if (!Array.isArray(output)) return undefined
  let calls: Record<string, number> | undefined
  let containers: Set<string> | undefined
  for (const element of output) {
    const item = objectOf(element)
    const type = textOf(item?.["type"])
    if (!item || !type || !COUNTED.has(type)) continue
    const action = textOf(objectOf(item["action"])?.["type"])
    const isOtherAction = type === "web_search_call" && action !== undefined && action !== "search"
    const name = isOtherAction ? `${type}_nonsearch_action` : type
    calls ??= {}
    calls[name] = (calls[name] ?? 0) + 1
    if (type === "code_interpreter_call") containers = (containers ?? new Set()).add(textOf(item["container_id"]) ?? "")
  }
  return calls && { calls, containers: containers?.size ?? 0 }
}

/** The model of OpenAI's image tool unless the request names another. */
const DEFAULT_IMAGE_MODEL = "gpt-image-1"

/** Returns the image tool's own model and usage, which stand beside the answer's. undefined: it was not used. */
export function findImageTool(response: JsonObject): JsonObject | undefined {
  const usage = objectOf(objectOf(response["tool_usage"])?.["image_gen"])
  if (!usage || !readImageTool({ usage })) return undefined
  const tool = listOf(response["tools"])
    .map(objectOf)
    .find((tool) => tool?.["type"] === "image_generation")
  return { model: textOf(tool?.["model"]) ?? DEFAULT_IMAGE_MODEL, usage }
}

/** Returns the work of the image tool as a part: tokens of another model. undefined: it did no work. */
export function readImageTool(tool: JsonObject | undefined): Part | undefined {
  const usage = objectOf(tool?.["usage"])
  const read = usage && readUsage(usage, "image")
  if (!read || read.contextTokens + read.usage.outputImage + read.usage.output === 0) return undefined
  return { model: textOf(tool?.["model"]), usage: read.usage, contextTokens: read.contextTokens, role: "tool" }
}

/** Returns what is billed for the calls and containers that `findServerTools` counted. */
export function toolUnits(calls: JsonObject | undefined, containers: number): Units {
  const searches = countOf(calls?.["web_search_call"])
  const files = countOf(calls?.["file_search_call"])
  return {
    ...(searches ? { webSearches: searches } : {}),
    ...(files ? { fileSearches: files } : {}),
    ...(containers > 0 ? { codeContainers: containers } : {}),
  }
}
