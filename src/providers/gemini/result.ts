import type { Reading } from "../../core/usage.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { countOf, type JsonObject, listOf, modelNameOf, objectOf, removeMembers } from "../_values.ts"
import { Grounding } from "./grounding.ts"
import { RESERVED_MEMBERS, toReading } from "./reading.ts"

/**
 * Returns the reading of one result of a batch; undefined: it states no tokens, as failed requests do.
 * @param model the model of the batch, for results that do not name it
 */
export function readResult(
  { method, path }: ProviderRequest,
  result: JsonObject | undefined,
  model: string | undefined,
): Reading | undefined {
  const answer = objectOf(result?.["response"])
  const counts = objectOf(answer?.["usageMetadata"]) ?? toCounts(answer?.["tokenCount"])
  if (!answer || !counts) return undefined
  removeMembers(counts, RESERVED_MEMBERS)
  const grounding = groundingIn(answer)
  // The row keeps the tier, so that it can be priced again.
  const usage = { ...counts, serviceTier: "batch", ...(grounding && { grounding }) }
  const answered = modelNameOf(answer["modelVersion"]) ?? model
  const reading = toReading({ method, path, model: answered, usage, source: "reported", isFree: false })
  return reading.parts.length === 0 ? undefined : reading
}

/** An embedding states only the tokens of its text. */
function toCounts(tokenCount: unknown): JsonObject | undefined {
  const promptTokenCount = countOf(tokenCount)
  return promptTokenCount === undefined ? undefined : { promptTokenCount }
}

/** Returns the grounding of one whole answer as the row keeps it; undefined when nothing is billed. */
function groundingIn(answer: JsonObject): JsonObject | undefined {
  const grounding = new Grounding()
  for (const element of listOf(answer["candidates"])) {
    const metadata = objectOf(objectOf(element)?.["groundingMetadata"])
    if (metadata) grounding.add(metadata)
  }
  return grounding.toUsage()
}
