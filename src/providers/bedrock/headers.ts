import type { RawHeaders } from "../../core/call.ts"
import { findRaw } from "../../core/raw-headers.ts"
import { countOf, type JsonObject } from "../_values.ts"

/** What the headers of an answer state. */
interface HeaderFacts {
  /** The counts, by the names that the last chunk of a stream has; undefined: the headers have none. */
  readonly metrics: JsonObject | undefined
  readonly tier: string | undefined
  readonly latency: string | undefined
}

/** Reads the headers of InvokeModel's answers. A count of the cache that is missing is 0. */
export function readHeaders(raw: RawHeaders): HeaderFacts {
  const metrics: Record<string, number> = {}
  for (const [header, name] of COUNTS) {
    const count = countOf(findRaw(raw, header))
    if (count !== undefined) metrics[name] = count
  }
  return {
    metrics: Object.keys(metrics).length > 0 ? metrics : undefined,
    tier: findRaw(raw, "x-amzn-bedrock-service-tier"),
    latency: findRaw(raw, "x-amzn-bedrock-performanceconfig-latency"),
  }
}

const COUNTS = [
  ["x-amzn-bedrock-input-token-count", "inputTokenCount"],
  ["x-amzn-bedrock-output-token-count", "outputTokenCount"],
  ["x-amzn-bedrock-cache-read-input-token-count", "cacheReadInputTokenCount"],
  ["x-amzn-bedrock-cache-write-input-token-count", "cacheWriteInputTokenCount"],
] as const
