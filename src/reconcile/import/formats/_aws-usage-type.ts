import type { Bucket } from "../../../core/reconciliation.ts"
import { findBucket, findTier } from "../_bucket.ts"
import { findClaude } from "../_model-name.ts"

export interface UsageType {
  readonly model: string | undefined
  readonly tier: string
  readonly bucket: Bucket
  /** How many tokens one unit of the usage amount is, if the report does not say it. */
  readonly tokensPerUnit: number
}

/** `USE1-Claude4.5Sonnet-cache-read-input-token-count-batch`: region, model, kind of tokens. */
const OWN =
  /^(?:[A-Z]{2,4}\d?-)?(?<model>.+?)-(?<kind>(?:mantle-)?(?:cache-(?:read|write)[\w-]*|input|output|text|image|audio|video)-.*)$/
/** `USE1-MP:USE1_InputTokenCount_Batch-Units`, of a model that is billed by way of the AWS Marketplace. */
const MARKETPLACE = /MP:(?:[A-Z0-9]+_)?(?<kind>\w+?)(?:-Units)?$/

/**
 * Reads a usage type of Amazon Bedrock. Its own models and the younger ones of others are counted in thousands of tokens,
 * the ones of the Marketplace in millions; their usage types do not name the model, which is the product then.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/cost-mgmt-understanding-cur-data.html
 */
export function readUsageType(usageType: string, product: string | undefined): UsageType {
  const marketplace = MARKETPLACE.exec(usageType)?.groups?.["kind"]
  if (marketplace !== undefined) {
    const words = marketplace.replace(/(?<=[a-z])(?=[A-Z\d])/g, " ").toLowerCase()
    return {
      model: product === undefined ? undefined : findClaude(product),
      tier: findTier(words),
      bucket: findBucket(words) ?? "other",
      tokensPerUnit: 1_000_000,
    }
  }
  const { model, kind } = OWN.exec(usageType)?.groups ?? {}
  if (model === undefined || kind === undefined) {
    return {
      model: undefined,
      tier: "standard",
      bucket: findBucket(usageType.toLowerCase()) ?? "other",
      tokensPerUnit: 1,
    }
  }
  const bucket = findBucket(kind) ?? "other"
  return { model: toModel(model), tier: findTier(kind), bucket, tokensPerUnit: /token/.test(kind) ? 1000 : 1 }
}

/** `Claude4.5Sonnet` is `claude-sonnet-4-5`, `Nova2.0Lite` is `nova-2-lite`, `Llama3-3-70B` is `llama3-3-70b`. */
function toModel(name: string): string {
  const claude = findClaude(name)
  if (claude !== undefined) return claude
  const nova = /^Nova(\d+)?(?:\.0)?([A-Z][a-z]+)$/.exec(name)
  if (nova !== null)
    return ["nova", nova[1], nova[2]]
      .filter((part) => part !== undefined)
      .join("-")
      .toLowerCase()
  return name.toLowerCase()
}
