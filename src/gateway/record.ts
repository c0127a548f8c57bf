import type { Call, Caller, Ending, LogIntent, LogRecord } from "../core/call.ts"
import type { Cost } from "../core/cost.ts"
import { toIsoTime } from "../core/time.ts"
import { type Reading, toTokenTotals } from "../core/usage.ts"
import type { CredentialPlace } from "../providers/_credentials.ts"
import { NO_METADATA } from "./metadata.ts"
import { redactEchoedCredentials } from "./redact.ts"

const MAX_ERROR_LENGTH = 500

/** Everything known of one request when it has ended. */
export interface Account {
  readonly call: Call
  readonly caller: Caller
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly credentialHash: string | undefined
  /** Where the provider's credential can stand in the request. */
  readonly credentials?: readonly CredentialPlace[]
  readonly ending: Ending
  readonly cost: Cost
}

/** The row. Pure: all the shapes that the request took, and its price. */
export function toLogRecord({
  call,
  caller,
  provider,
  requestedModel,
  credentialHash,
  credentials,
  ending,
  cost,
}: Account): LogRecord {
  const { reading } = ending
  const tokens = toTokenTotals(isShownAgain(call, reading) ? [] : reading.parts)
  const respondedAt = toIsoTime(ending.respondedAt)
  return {
    id: call.id,
    majordomo_api_key_id: caller.keyId,
    provider_api_key_hash: credentialHash,
    provider_api_key_alias: textHeader(call.headers["x-majordomo-provider-alias"]),
    provider,
    model: reading.model ?? requestedModel ?? "",
    requested_model: requestedModel,
    request_path: call.path,
    request_method: call.method,
    requested_at: toIsoTime(call.receivedAt),
    responded_at: respondedAt,
    response_time_ms: Math.max(0, Math.round(ending.respondedAt - call.receivedAt)),
    first_byte_ms: ending.firstByteMs === undefined ? undefined : Math.max(0, Math.round(ending.firstByteMs)),
    input_tokens: tokens.inputTokens,
    cached_tokens: tokens.cachedTokens,
    cache_creation_tokens: tokens.cacheCreationTokens,
    cache_creation_1h_tokens: tokens.cacheCreation1hTokens,
    output_tokens: tokens.outputTokens,
    reasoning_tokens: tokens.reasoningTokens,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    cost_status: cost.status,
    price: cost.price,
    usage: reading.raw,
    usage_source: reading.source,
    status_code: ending.statusCode,
    error_message:
      ending.error === undefined
        ? undefined
        : redactEchoedCredentials(ending.error, call, credentials).slice(0, MAX_ERROR_LENGTH),
    streamed: ending.streamed,
    outcome: ending.outcome,
    raw_metadata: call.metadata === NO_METADATA ? undefined : call.metadata,
    request_body: undefined,
    response_body: undefined,
    s3_key: undefined,
    created_at: respondedAt,
  }
}

/**
 * A GET of a stored answer repeats the usage of the call that made it. Its row keeps that in `usage`; in the columns the
 * same tokens would be added up twice.
 */
function isShownAgain({ method }: Call, { free }: Reading): boolean {
  return free && (method === "GET" || method === "HEAD")
}

/** What is known of the row before there is an answer. */
export function toLogStart(account: Omit<Account, "ending" | "cost">): LogIntent {
  const { call, caller, provider, requestedModel, credentialHash } = account
  return {
    id: call.id,
    majordomo_api_key_id: caller.keyId,
    provider_api_key_hash: credentialHash,
    provider_api_key_alias: textHeader(call.headers["x-majordomo-provider-alias"]),
    provider,
    model: requestedModel ?? "",
    requested_model: requestedModel,
    request_path: call.path,
    request_method: call.method,
    requested_at: toIsoTime(call.receivedAt),
    raw_metadata: call.metadata === NO_METADATA ? undefined : call.metadata,
  }
}

function textHeader(value: string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value).slice(0, 255)
}
