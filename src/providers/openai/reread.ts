import { NO_READING, NO_USAGE, type Reading } from "../../core/usage.ts"
import type { StoredResponse } from "../_dialect.ts"
import { rereadParts } from "../_parts.ts"
import { countOf, objectOf, textOf } from "../_values.ts"
import { operationOf, unsplitOutputOf } from "./paths.ts"
import { readReportedCost } from "./reported-cost.ts"
import { readImageTool, toolUnits } from "./server-tools.ts"
import { readUsage } from "./usage.ts"

/** The reading of an answer in OpenAI's dialect from what its row keeps. */
export function rereadOpenAi({ raw, model, method, path }: StoredResponse): Reading | undefined {
  const usage = objectOf(raw)
  if (!usage) return undefined
  const beside = objectOf(usage["billed_beside"])
  const geo = textOf(beside?.["region"])
  const many = rereadParts(usage)
  if (many) return { ...many, geo: textOf(usage["region"]) }
  const images = countOf(beside?.["images"])
  if (images) return { ...NO_READING, model, raw, geo, units: { images } }
  const counted = objectOf(usage["estimated_from_text"])
  if (counted) {
    const input = countOf(counted["input_tokens"]) ?? 0
    const output = countOf(counted["output_tokens"]) ?? 0
    const part = { model, usage: { ...NO_USAGE, input, output }, contextTokens: input, role: "answer" } as const
    return { ...NO_READING, model, parts: [part], raw, tier: textOf(usage["service_tier"]), geo, source: "estimated" }
  }
  const read = readUsage(usage, unsplitOutputOf(operationOf(method, path)))
  if (!read) return undefined
  const pictures = readImageTool(objectOf(beside?.["image_generation"]))
  const answer = { model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" } as const
  const units = toolUnits(objectOf(usage["server_tool_calls"]), countOf(beside?.["code_containers"]) ?? 0)
  return {
    ...NO_READING,
    model,
    parts: pictures ? [answer, pictures] : [answer],
    units: read.audioSeconds === undefined ? units : { ...units, audioSeconds: read.audioSeconds },
    tier: textOf(usage["service_tier"])?.toLowerCase(),
    geo,
    reportedCostUsd: readReportedCost(usage),
    raw,
    source: "reported",
    inconsistent: read.inconsistent,
  }
}
