import type { Meter, ProviderRequest, ResponseHead } from "../_dialect.ts"
import { createFoldingMeter } from "../_meter.ts"
import { createOpenAiCounter } from "./estimate.ts"
import { createOpenAiFold } from "./fold.ts"
import { operationOf, unsplitOutputOf } from "./paths.ts"

/** The meter for an answer in OpenAI's dialect, whoever gave it; undefined: sound, pictures, files. */
export function createOpenAiMeter(exchange: ProviderRequest, head: ResponseHead): Meter | undefined {
  const operation = operationOf(exchange.method, exchange.path)
  if (operation === "count") return undefined
  const isBatch = operation === "batch_output"
  if (!isBatch && /^(audio|image|video)\/|^application\/octet-stream/i.test(head.contentType)) return undefined
  return createFoldingMeter(
    isBatch ? { ...head, contentType: "application/jsonl" } : head,
    createOpenAiFold({
      unsplitOutput: unsplitOutputOf(operation),
      geo: REGIONS.get(exchange.host),
      free: isFreeOperation(exchange),
      batch: isBatch,
      counter: createOpenAiCounter(operation),
      request: exchange,
    }),
  )
}

/** OpenAI's regional hosts. */
const REGIONS: ReadonlyMap<string, string> = new Map([
  ["eu.api.openai.com", "eu"],
  ["us.api.openai.com", "us"],
])

/**
 * Free by OpenAI's own rule: counting, moderation, and everything that only shows or files what is there already. A
 * stored response repeats the usage that its making was billed for.
 */
export function isFreeOperation({ method, path }: Pick<ProviderRequest, "method" | "path">): boolean {
  return FREE.has(operationOf(method, path))
}

const FREE: ReadonlySet<string> = new Set(["count", "moderations", "stored", "retrieve"])
