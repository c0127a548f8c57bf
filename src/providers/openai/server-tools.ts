import type { Part, Units } from "../../core/usage.ts"
import type { JsonObject } from "../_fold.ts"
import { countOf, listOf, objectOf, textOf } from "../_values.ts"
import { readUsage } from "./usage.ts"

export interface ServerTools {
  readonly units: Units
  /** Calls by item type, for the row's `usage`; undefined: none. */
  readonly calls: Readonly<Record<string, number>> | undefined
}

const NO_TOOLS: ServerTools = { units: {}, calls: undefined }
const COUNTED = new Set(["web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"])

/**
 * The server tools of a Responses answer, which its usage does not hold: they are items of `output`. A web search is
 * billed when its action is a search; opening or looking through a page is not. Containers are billed each once.
 */
export function readServerTools(output: unknown): ServerTools {
  if (!Array.isArray(output)) return NO_TOOLS
  const calls: Record<string, number> = {}
  const containers = new Set<string>()
  let any = false
  for (const element of output) {
    const item = objectOf(element)
    const type = textOf(item?.["type"])
    if (!item || !type || !COUNTED.has(type)) continue
    any = true
    const action = textOf(objectOf(item["action"])?.["type"])
    const name =
      type === "web_search_call" && action !== undefined && action !== "search" ? `${type}_nonsearch_action` : type
    calls[name] = (calls[name] ?? 0) + 1
    if (type === "code_interpreter_call") containers.add(textOf(item["container_id"]) ?? "")
  }
  if (!any) return NO_TOOLS
  return { units: toolUnits(calls, containers.size), calls }
}

/** OpenAI's image tool draws with this model unless the request names another. */
const DEFAULT_IMAGE_MODEL = "gpt-image-1"

/** The image tool's own usage and model, beside the answer's. undefined: it was not used, or not told. */
export function findImageTool(response: JsonObject): JsonObject | undefined {
  const usage = objectOf(objectOf(response["tool_usage"])?.["image_gen"])
  if (!usage) return undefined
  const tool = listOf(response["tools"])
    .map(objectOf)
    .find((tool) => tool?.["type"] === "image_generation")
  return { model: textOf(tool?.["model"]) ?? DEFAULT_IMAGE_MODEL, usage }
}

/** The work of the image tool as a part: tokens of another model. */
export function readImageTool(tool: JsonObject | undefined): Part | undefined {
  const said = objectOf(tool?.["usage"])
  const read = said && readUsage(said, "image")
  if (!read || read.contextTokens + read.usage.outputImage + read.usage.output === 0) return undefined
  return { model: textOf(tool?.["model"]), usage: read.usage, contextTokens: read.contextTokens, role: "tool" }
}

/** The units of what `readServerTools` counted. */
export function toolUnits(calls: JsonObject | undefined, containers: number): Units {
  const searches = countOf(calls?.["web_search_call"])
  const files = countOf(calls?.["file_search_call"])
  return {
    ...(searches ? { webSearches: searches } : {}),
    ...(files ? { fileSearches: files } : {}),
    ...(containers > 0 ? { codeContainers: containers } : {}),
  }
}
