import type { Part, Units } from "../../core/usage.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"
import { readUsage } from "./usage.ts"

/** How the row's `usage` names the older search tool. */
export const PREVIEW_SEARCH = "web_search_preview"

/** The server tools that ran for one answer. */
export interface ServerTools {
  /** Calls by item type. The row's `usage` keeps them as `server_tool_calls`. */
  readonly calls: Readonly<Record<string, number>>
  /** Containers of the code interpreter and of the hosted shell, each counted once. */
  readonly containers: number
  /** The reasons why a billed item is missing from the sum. */
  readonly missing: readonly string[]
  /** Searches ran with the older tool, `web_search_preview`, which has a fee of its own. */
  readonly isPreviewSearch: boolean
}

const COUNTED = new Set(["web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"])

/**
 * Counts the server tools of a Responses answer, which its usage does not hold: they are items of `output`. A web search
 * is billed when its action is a search; opening a page or looking through it is not. undefined: no tool ran.
 * @param tools the tools that the answer had, as it repeats them from the request
 */
export function findServerTools(output: unknown, tools: unknown): ServerTools | undefined {
  if (!Array.isArray(output)) return undefined
  let calls: Record<string, number> | undefined
  let containers: Set<string> | undefined
  for (const element of output) {
    const item = objectOf(element)
    const type = textOf(item?.["type"])
    if (!item || !type) continue
    const shell = type === "shell_call" ? shellContainer(item) : undefined
    if (shell !== undefined) containers = (containers ?? new Set()).add(shell)
    if (!COUNTED.has(type)) continue
    const action = textOf(objectOf(item["action"])?.["type"])
    const isOtherAction = type === "web_search_call" && action !== undefined && action !== "search"
    const name = isOtherAction ? `${type}_nonsearch_action` : type
    calls ??= {}
    calls[name] = (calls[name] ?? 0) + 1
    if (type === "code_interpreter_call") containers = (containers ?? new Set()).add(textOf(item["container_id"]) ?? "")
  }
  if (!calls && !containers) return undefined
  const search = calls?.["web_search_call"] ? searchToolIn(tools) : undefined
  return {
    calls: calls ?? {},
    containers: containers?.size ?? 0,
    isPreviewSearch: search === "preview",
    missing: [
      ...(search === "both" ? ["which of two search tools ran is not stated"] : []),
      ...(containers ? sizesIn(tools).map((size) => `the fee of a code container of ${size} is not known`) : []),
    ],
  }
}

/** Returns the container of a hosted shell; undefined for a shell of the client's own. */
function shellContainer(item: JsonObject): string | undefined {
  const environment = objectOf(item["environment"])
  return environment?.["type"] === "container_reference" ? (textOf(environment["container_id"]) ?? "") : undefined
}

/** Returns which search tools an answer had: the current one, the older preview, or both. undefined: not stated. */
function searchToolIn(tools: unknown): "current" | "preview" | "both" | undefined {
  let found: "current" | "preview" | undefined
  for (const tool of listOf(tools)) {
    const type = textOf(objectOf(tool)?.["type"])
    if (!type?.startsWith("web_search")) continue
    const kind = type.startsWith("web_search_preview") ? "preview" : "current"
    if (found !== undefined && found !== kind) return "both"
    found = kind
  }
  return found
}

/** The size of a container that does not ask for another. */
const DEFAULT_SIZE = "1g"

/** Returns the sizes of containers that have another fee than the default size. */
function sizesIn(tools: unknown): string[] {
  const sizes = listOf(tools).map((tool) => {
    const { container, environment } = objectOf(tool) ?? {}
    return textOf((objectOf(container) ?? objectOf(environment))?.["memory_limit"])
  })
  return [...new Set(sizes.filter((size) => size !== undefined && size !== DEFAULT_SIZE))] as string[]
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
export function toolUnits(calls: JsonObject | undefined, beside: JsonObject | undefined): Units {
  const searches = countOf(calls?.["web_search_call"])
  const files = countOf(calls?.["file_search_call"])
  const containers = countOf(beside?.["code_containers"]) ?? 0
  const isPreview = beside?.["web_search_tool"] === PREVIEW_SEARCH
  return {
    ...(searches ? (isPreview ? { webSearchPreviews: searches } : { webSearches: searches }) : {}),
    ...(files ? { fileSearches: files } : {}),
    ...(containers > 0 ? { codeContainers: containers } : {}),
  }
}
