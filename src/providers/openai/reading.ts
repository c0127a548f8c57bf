import { NO_READING, NO_USAGE, type Reading, type Units } from "../../core/usage.ts"
import { readBatch } from "../_batch.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { ADDED_MEMBERS } from "./added-members.ts"
import { readReportedCost } from "./reported-cost.ts"
import { OPERATIONS } from "./routes.ts"
import { readImageTool, toolUnits } from "./server-tools.ts"
import { type Modality, readUsage } from "./usage.ts"

/** Returns the reading of an answer in OpenAI's dialect: live, stored, or a line of a batch. */
export function toReading(evidence: Evidence): Reading {
  const { method, path, usage, isFree } = evidence
  const { kind } = OPERATIONS.find(method, path)
  if (!usage)
    return { ...NO_READING, model: evidence.model, tier: kind === "batch_output" ? "batch" : undefined, free: isFree }
  const beside = objectOf(usage["billed_beside"])
  const batch = readBatch(usage)
  if (batch) return { ...batch, geo: textOf(usage["region"]), free: isFree }
  const images = countOf(beside?.["images"])
  if (images) return readImages(evidence, usage, images)
  const counted = objectOf(usage["estimated_from_text"])
  return counted ? readCounted(evidence, usage, counted) : readReported(evidence, usage, unsplitOutputOf(kind))
}

/** Reads usage that the provider reported, which is the usual case. */
function readReported(evidence: Evidence, usage: JsonObject, unsplitOutput: Modality): Reading {
  const { model, source, isFree } = evidence
  const beside = objectOf(usage["billed_beside"])
  const tier = tierOf(usage)
  const geo = textOf(beside?.["region"])
  const read = readUsage(usage, unsplitOutput)
  if (!read) return { ...NO_READING, model, tier, geo, free: isFree }
  const answer = { model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" } as const
  const drawn = readImageTool(objectOf(beside?.["image_generation"]))
  return {
    model,
    parts: drawn ? [answer, drawn] : [answer],
    units: unitsOf(usage, beside, read.audioSeconds),
    tier,
    speed: undefined,
    geo,
    reportedCostUsd: readReportedCost(usage),
    raw: boundedJson(usage, ADDED_MEMBERS),
    source,
    free: isFree,
    inconsistent: read.inconsistent,
  }
}

/** Pictures that are billed by the piece. */
function readImages({ model, isFree }: Evidence, usage: JsonObject, images: number): Reading {
  const geo = textOf(objectOf(usage["billed_beside"])?.["region"])
  return { ...NO_READING, model, tier: tierOf(usage), geo, raw: usage, units: { images }, free: isFree }
}

/** Tokens that the gateway counted from the texts of an answer that was cut off. */
function readCounted({ model, isFree }: Evidence, usage: JsonObject, counted: JsonObject): Reading {
  const input = countOf(counted["input_tokens"]) ?? 0
  const output = countOf(counted["output_tokens"]) ?? 0
  return {
    ...NO_READING,
    model,
    parts: [{ model, usage: { ...NO_USAGE, input, output }, contextTokens: input, role: "answer" }],
    tier: tierOf(usage),
    geo: textOf(objectOf(usage["billed_beside"])?.["region"]),
    raw: usage,
    source: "estimated",
    free: isFree,
  }
}

const NO_UNITS: Units = {}

function unitsOf(usage: JsonObject, beside: JsonObject | undefined, audioSeconds: number | undefined): Units {
  const calls = objectOf(usage["server_tool_calls"])
  const containers = countOf(beside?.["code_containers"]) ?? 0
  const units = calls || containers > 0 ? toolUnits(calls, containers) : NO_UNITS
  return audioSeconds === undefined ? units : { ...units, audioSeconds }
}

/**
 * The tier that served the request. Mistral writes its list price as `standard` inside the usage, where no other
 * provider states a tier: that is the same as none.
 */
function tierOf(usage: JsonObject): string | undefined {
  const tier = textOf(usage["service_tier"])?.toLowerCase()
  return tier === "standard" ? undefined : tier
}

/** Returns the modality of the output of an operation, for a provider that does not split it. */
function unsplitOutputOf(kind: string | undefined): Modality {
  return kind === "images" ? "image" : kind === "speech" ? "audio" : "text"
}
