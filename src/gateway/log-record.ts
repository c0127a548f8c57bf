import type { Call } from "../core/call.ts"
import type { LogIntent, LogRecord } from "../core/log-record.ts"
import { truncateText } from "../core/text.ts"
import { toIsoTime } from "../core/time.ts"
import { type Reading, type TokenTotals, toTokenTotals } from "../core/usage.ts"
import { toUsageKey } from "../core/usage-key.ts"
import type { Provider } from "../providers/catalog.ts"
import { toStoredText } from "./header-text.ts"
import { NO_METADATA } from "./metadata.ts"
import type { ModelNames } from "./model-names.ts"
import type { SettledRequest } from "./proxied-request.ts"
import { redactEchoedCredentials, redactSupplied } from "./redact.ts"

const MAX_ERROR_LENGTH = 500
const MAX_ALIAS_LENGTH = 255

/** The part of a request that its intent needs. */
type ForwardedFacts = Pick<SettledRequest, "call" | "caller" | "credentialHash"> & {
  readonly billing?: SettledRequest["billing"]
  readonly credentials?: SettledRequest["credentials"]
  readonly route: { readonly provider: Pick<Provider, "name" | "models">; readonly format: string }
  readonly prepared: { readonly requestedModel: string | undefined }
}

/** The part of a settled request that its row needs. */
type RowFacts = ForwardedFacts &
  Pick<SettledRequest, "ending" | "cost" | "bodies"> & {
    readonly dialect?: Pick<SettledRequest["dialect"], "credentials">
    readonly suppliedSecrets?: SettledRequest["suppliedSecrets"]
    readonly identity?: SettledRequest["identity"]
  }

/**
 * Returns the row of a settled request.
 * @param names limits the models that rows count for; undefined: the provider's answers do
 */
export function toLogRecord(request: RowFacts, names?: ModelNames): LogRecord {
  const { call, caller, credentialHash, billing, route, ending, cost, bodies } = request
  const { requestedModel } = request.prepared
  const { reading } = ending
  const model = toModel(reading.model ?? requestedModel ?? "", route.provider)
  const tokens = toTokenTotals(repeatsStoredUsage(call, reading) ? [] : reading.parts)
  const respondedAt = toIsoTime(ending.respondedAt)
  return {
    id: call.id,
    majordomo_api_key_id: caller.keyId,
    provider_api_key_hash: credentialHash,
    provider_api_key_alias: toAlias(request),
    provider: route.provider.name,
    model: names === undefined ? model : names.limit(model, ending),
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
    billing,
    cost_status: cost.status,
    price: cost.price,
    usage: reading.raw,
    usage_source: reading.source,
    dialect: route.format,
    status_code: ending.statusCode,
    error_message:
      ending.error === undefined ? undefined : truncateText(redactError(ending.error, request), MAX_ERROR_LENGTH),
    streamed: ending.streamed,
    ...toTransport(call),
    outcome: ending.outcome,
    source: undefined,
    ...toIdentity(request, tokens),
    raw_metadata: toRawMetadata(call),
    request_body: bodies?.request_body,
    response_body: bodies?.response_body,
    s3_key: bodies?.s3_key,
    created_at: respondedAt,
  }
}

function toIdentity({ identity, call }: RowFacts, tokens: TokenTotals) {
  return {
    provider_request_id: identity?.requestId,
    usage_key: identity && toUsageKey(call.metadata["Session-Id"], tokens),
  }
}

function redactError(error: string, { call, suppliedSecrets = [], dialect }: RowFacts): string {
  const clean = redactEchoedCredentials(error, call, dialect?.credentials)
  return redactSupplied(clean, suppliedSecrets)
}

/** Returns what is known of the row when the request is forwarded. Pure. */
export function toLogIntent(request: ForwardedFacts): LogIntent {
  const { call, caller, credentialHash, billing, route } = request
  const { requestedModel } = request.prepared
  return {
    id: call.id,
    majordomo_api_key_id: caller.keyId,
    provider_api_key_hash: credentialHash,
    provider_api_key_alias: toAlias(request),
    provider: route.provider.name,
    model: toModel(requestedModel ?? "", route.provider),
    requested_model: requestedModel,
    request_path: call.path,
    request_method: call.method,
    requested_at: toIsoTime(call.receivedAt),
    billing,
    dialect: route.format,
    ...toTransport(call),
    raw_metadata: toRawMetadata(call),
  }
}

function toTransport({ websocketId }: Call): Pick<LogRecord, "transport" | "websocket_id"> {
  return { transport: websocketId === undefined ? undefined : "websocket", websocket_id: websocketId }
}

/** Returns the model behind a name, such as a deployment of Azure or an inference profile of Bedrock, or else the name. */
export function toModel(name: string, { models }: Pick<Provider, "models">): string {
  if (models === undefined) return name
  const lower = name.toLowerCase()
  return models.get(lower) ?? models.get(lower.slice(lower.lastIndexOf("/") + 1)) ?? name
}

/**
 * A GET of a stored answer repeats the usage of the call that created it. Its row keeps that usage in the column
 * `usage`; in the token columns the same tokens would be counted twice.
 */
function repeatsStoredUsage({ method }: Call, { free }: Reading): boolean {
  return free && (method === "GET" || method === "HEAD")
}

/**
 * Returns the name of the credential that the provider gets: of the gateway's own as the operator has named it, or else of
 * the client's as the client calls it. A client cannot name the gateway's own, which would put the bill on another key.
 */
function toAlias({ call, credentials }: ForwardedFacts): string | undefined {
  if (credentials?.supplied !== undefined) return credentials.supplied.alias
  const alias = call.headers["x-majordomo-provider-alias"]
  return alias === undefined || alias === "" ? undefined : truncateText(toStoredText(String(alias)), MAX_ALIAS_LENGTH)
}

function toRawMetadata({ metadata }: Call): LogRecord["raw_metadata"] {
  return metadata === NO_METADATA ? undefined : metadata
}
