import { createHash } from "node:crypto"
import type { Cost } from "../../core/cost.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"
import { redactSecretValues } from "../../core/secrets.ts"
import { toIsoTime } from "../../core/time.ts"
import { NO_READING, NO_USAGE, type Reading, toTokenTotals } from "../../core/usage.ts"
import type { ForeignRequest } from "../../imports/request.ts"
import { toUuidV8 } from "../../kit/uuid.ts"

/** Which import a row belongs to. */
export interface Origin {
  /** The id of the import. */
  readonly id: string
  /** The name of the source, such as `litellm`, and its title. */
  readonly source: string
  readonly title: string
  /** The API key to which the requests are attributed. */
  readonly keyId: string | undefined
}

/** Returns the id of the row of a request: the same one whenever the request is imported. */
function toRowId({ id, endedAt }: ForeignRequest, source: string): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([source, id]))
    .digest("hex")
  return toUuidV8(endedAt, digest)
}

/** Returns the tokens of a request as the reading of an answer, which is priced like one. */
export function toReading({ model, tokens }: ForeignRequest): Reading {
  const { input, cacheRead, cacheWrite, cacheWrite1h } = tokens
  const contextTokens = input + cacheRead + cacheWrite + cacheWrite1h
  const usage = { ...NO_USAGE, ...tokens }
  return { ...NO_READING, model, parts: [{ model, usage, contextTokens, role: "answer" }], source: "reported" }
}

/** Returns the cost that the source has recorded. A cost of 0 counts only if it is known why. */
export function toRecordedCost({ cost, free }: ForeignRequest, title: string): Cost {
  const { total, input, output } = cost
  if (total !== undefined && total !== "0") {
    const price = { lines: [], reason: `the cost that ${title} has recorded`, reported: total }
    return { status: "estimated", inputCost: input, outputCost: output, totalCost: total, price }
  }
  if (free !== undefined) {
    return { status: "free", inputCost: "0", outputCost: "0", totalCost: "0", price: { lines: [], reason: free } }
  }
  const reason = `${title} has recorded no cost`
  return {
    status: "unpriced",
    inputCost: undefined,
    outputCost: undefined,
    totalCost: undefined,
    price: { lines: [], reason },
  }
}

/** Returns the row of an imported request. Its cost is never exact, because the answer itself was not metered here. */
export function toImportedRow(request: ForeignRequest, cost: Cost, origin: Origin): LogRecord {
  const { startedAt, endedAt, tokens, metadata, error } = request
  const totals = toTokenTotals(toReading(request).parts)
  const hasTokens = totals.inputTokens + totals.outputTokens > 0
  const respondedAt = toIsoTime(endedAt)
  return {
    ...EMPTY_RECORD,
    id: toRowId(request, origin.source),
    majordomo_api_key_id: origin.keyId,
    provider: request.provider,
    model: request.model,
    requested_model: request.requestedModel,
    request_path: request.path,
    request_method: "POST",
    requested_at: toIsoTime(startedAt),
    responded_at: respondedAt,
    response_time_ms: endedAt - startedAt,
    first_byte_ms: request.firstByteMs,
    input_tokens: totals.inputTokens,
    cached_tokens: totals.cachedTokens,
    cache_creation_tokens: totals.cacheCreationTokens,
    cache_creation_1h_tokens: totals.cacheCreation1hTokens,
    output_tokens: totals.outputTokens,
    reasoning_tokens: totals.reasoningTokens,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    cost_status: cost.status === "exact" ? "estimated" : cost.status,
    price: cost.price,
    usage: { import: origin.id, source: origin.source, id: request.id, tokens },
    usage_source: hasTokens ? "reported" : "none",
    status_code: request.statusCode,
    error_message: error === undefined ? undefined : redactSecretValues(error),
    streamed: request.isStreamed,
    outcome: "complete",
    source: "import",
    raw_metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    created_at: respondedAt,
  }
}
