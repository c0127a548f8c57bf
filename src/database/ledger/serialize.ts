import type { LogIntent, LogRecord } from "../../core/call.ts"
import type { PriceCertificate } from "../../core/cost.ts"

const MAX_NAME_LENGTH = 255
const MAX_PATH_LENGTH = 16_384 // node's own limit for a request head
const MAX_ERROR_LENGTH = 500
const MAX_INTEGER = 2 ** 31 - 1

/**
 * The row as its JSON line: the only time that it is serialised. Written member by member, for that costs less than
 * `JSON.stringify` does; the order is that of `COLUMNS`. Throws when a value cannot be written (a cycle, a depth).
 */
export function toLine(record: LogRecord): string {
  const row = fits(record) ? record : toStorable(record)
  let line = toBeginning(row)
  line += own(',"responded_at":"', row.responded_at)
  line += `,"response_time_ms":${row.response_time_ms}`
  if (row.first_byte_ms !== undefined) line += `,"first_byte_ms":${row.first_byte_ms}`
  line += `,"input_tokens":${row.input_tokens},"cached_tokens":${row.cached_tokens}`
  line += `,"cache_creation_tokens":${row.cache_creation_tokens}`
  line += `,"cache_creation_1h_tokens":${row.cache_creation_1h_tokens}`
  line += `,"output_tokens":${row.output_tokens},"reasoning_tokens":${row.reasoning_tokens}`
  line += own(',"input_cost":"', row.input_cost)
  line += own(',"output_cost":"', row.output_cost)
  line += own(',"total_cost":"', row.total_cost)
  line += own(',"cost_status":"', row.cost_status)
  line += certificate(',"price":', row.price)
  line += json(',"usage":', row.usage)
  line += own(',"usage_source":"', row.usage_source)
  line += `,"status_code":${row.status_code}`
  line += text(',"error_message":', row.error_message)
  line += `,"streamed":${row.streamed}`
  line += own(',"outcome":"', row.outcome)
  line += json(',"raw_metadata":', row.raw_metadata)
  line += text(',"request_body":', row.request_body)
  line += text(',"response_body":', row.response_body)
  line += text(',"s3_key":', row.s3_key)
  return `${line}${own(',"created_at":"', row.created_at)}}`
}

/** What is known of a row when it begins, as JSON. */
export function toIntentLine(start: LogIntent): string {
  return `${toBeginning(start)}${json(',"raw_metadata":', start.raw_metadata)}}`
}

/** What a row has from its beginning, the id first. */
function toBeginning(row: LogIntent): string {
  let line = `{"id":"${row.id}"`
  line += own(',"majordomo_api_key_id":"', row.majordomo_api_key_id)
  line += own(',"provider_api_key_hash":"', row.provider_api_key_hash)
  line += text(',"provider_api_key_alias":', row.provider_api_key_alias)
  line += text(',"provider":', row.provider)
  line += text(',"model":', row.model)
  line += text(',"requested_model":', row.requested_model)
  line += text(',"request_path":', row.request_path)
  line += text(',"request_method":', row.request_method)
  return line + own(',"requested_at":"', row.requested_at)
}

/** The certificate with its usual members; with others it is left to JSON. */
function certificate(key: string, price: PriceCertificate | undefined): string {
  if (price === undefined || price.factors !== undefined) return json(key, price)
  let lines = ""
  for (const line of price.lines) {
    lines += lines === "" ? '{"side":"' : ',{"side":"'
    lines += `${line.side}","bucket":"${line.bucket}"${text(',"model":', line.model)},"quantity":${line.quantity}`
    lines += `,"rate":"${line.rate}","per":"${line.per}","factor":"${line.factor}","amount":"${line.amount}"`
    lines += `${text(',"source":', line.source)}${text(',"date":', line.date)}}`
  }
  const { tier, reason, reported, computed } = price
  return `${key}{"lines":[${lines}]${text(',"tier":', tier)}${text(',"reason":', reason)}${text(',"reported":', reported)}${text(',"computed":', computed)}}`
}

/** A text of our own making, with nothing in it that JSON escapes: an id, a hash, a time, an amount, one of our words. */
function own(key: string, value: string | undefined): string {
  return value === undefined ? "" : `${key}${value}"`
}

function text(key: string, value: string | undefined): string {
  return value === undefined ? "" : key + quoted(value)
}

/** Nothing in it has to be escaped, and no lone surrogate is in it. */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/

function quoted(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : replaceUnstorable(JSON.stringify(value))
}

function json(key: string, value: unknown): string {
  if (value === undefined) return ""
  const written = JSON.stringify(value) as string | undefined
  if (written === undefined) return ""
  return key + (written.includes("\\u") ? replaceUnstorable(written) : written)
}

/**
 * Puts U+FFFD in the place of what PostgreSQL cannot hold: U+0000 and lone surrogates, which `JSON.stringify` writes as
 * `\u0000` and `\ud800`…; paired ones it writes as they are. A backslash before a backslash is text, not an escape.
 */
export function replaceUnstorable(json: string): string {
  return json.replace(/\\(?:\\|u0000|ud[89a-f][0-9a-f]{2})/g, (found) => (found === "\\\\" ? found : "\ufffd"))
}

/** Written so that a row that fits, as nearly all do, costs comparisons only. */
function fits(row: LogRecord): boolean {
  return (
    row.provider.length <= MAX_NAME_LENGTH &&
    row.model.length <= MAX_NAME_LENGTH &&
    row.request_path.length <= MAX_PATH_LENGTH &&
    row.request_method.length <= MAX_NAME_LENGTH &&
    (row.requested_model === undefined || row.requested_model.length <= MAX_NAME_LENGTH) &&
    (row.provider_api_key_alias === undefined || row.provider_api_key_alias.length <= MAX_NAME_LENGTH) &&
    (row.error_message === undefined || row.error_message.length <= MAX_ERROR_LENGTH) &&
    isCount(row.input_tokens) &&
    isCount(row.cached_tokens) &&
    isCount(row.cache_creation_tokens) &&
    isCount(row.cache_creation_1h_tokens) &&
    isCount(row.output_tokens) &&
    isCount(row.reasoning_tokens) &&
    isInteger(row.response_time_ms) &&
    isInteger(row.status_code) &&
    (row.first_byte_ms === undefined || isInteger(row.first_byte_ms))
  )
}

/** The same row with its texts cut and its numbers brought into the range of their columns. */
export function toStorable(row: LogRecord): LogRecord {
  return {
    ...row,
    provider: cut(row.provider, MAX_NAME_LENGTH),
    model: cut(row.model, MAX_NAME_LENGTH),
    requested_model: row.requested_model === undefined ? undefined : cut(row.requested_model, MAX_NAME_LENGTH),
    provider_api_key_alias:
      row.provider_api_key_alias === undefined ? undefined : cut(row.provider_api_key_alias, MAX_NAME_LENGTH),
    request_path: cut(row.request_path, MAX_PATH_LENGTH),
    request_method: cut(row.request_method, MAX_NAME_LENGTH),
    error_message: row.error_message === undefined ? undefined : cut(row.error_message, MAX_ERROR_LENGTH),
    input_tokens: clamp(row.input_tokens, Number.MAX_SAFE_INTEGER),
    cached_tokens: clamp(row.cached_tokens, Number.MAX_SAFE_INTEGER),
    cache_creation_tokens: clamp(row.cache_creation_tokens, Number.MAX_SAFE_INTEGER),
    cache_creation_1h_tokens: clamp(row.cache_creation_1h_tokens, Number.MAX_SAFE_INTEGER),
    output_tokens: clamp(row.output_tokens, Number.MAX_SAFE_INTEGER),
    reasoning_tokens: clamp(row.reasoning_tokens, Number.MAX_SAFE_INTEGER),
    response_time_ms: clamp(row.response_time_ms, MAX_INTEGER),
    first_byte_ms: row.first_byte_ms === undefined ? undefined : clamp(row.first_byte_ms, MAX_INTEGER),
    status_code: clamp(row.status_code, MAX_INTEGER),
  }
}

const COST = /^\d{1,8}(?:\.\d{1,12})?$/
const TIME = /^\d{4}-\d\d-\d\dT/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The least that a row can say: who, where, when, how it ended, and its tokens and costs as far as they are such.
 * For a row that the database refuses; `reason` takes the place of the error message.
 */
export function toSmallestLine(row: LogRecord, reason: string): string {
  const costs = [row.input_cost, row.output_cost, row.total_cost]
  const unpriced = {
    input_cost: undefined,
    output_cost: undefined,
    total_cost: undefined,
    cost_status: "unpriced",
  } as const
  const created_at = toTime(row.created_at, new Date(0).toISOString())
  const smallest: LogRecord = {
    ...toStorable(row),
    ...(costs.every((cost) => cost === undefined || COST.test(cost)) ? {} : unpriced),
    majordomo_api_key_id: UUID.test(row.majordomo_api_key_id ?? "") ? row.majordomo_api_key_id : undefined,
    requested_at: toTime(row.requested_at, created_at),
    responded_at: toTime(row.responded_at, created_at),
    created_at,
    price: undefined,
    usage: undefined,
    error_message: reason,
    raw_metadata: undefined,
    request_body: undefined,
    response_body: undefined,
  }
  return replaceUnstorable(JSON.stringify(smallest))
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isInteger(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_INTEGER
}

function clamp(value: unknown, max: number): number {
  return typeof value === "number" && value > 0 ? Math.min(Math.round(value), max) : 0
}

function cut(value: unknown, maxLength: number): string {
  return String(value ?? "").slice(0, maxLength)
}

function toTime(value: string, otherwise: string): string {
  return TIME.test(value) ? value : otherwise
}
