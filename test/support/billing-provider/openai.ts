import { type Decimal, formatDecimal, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bucket } from "../../../src/core/reconciliation.ts"
import { type Books, bucketsOf, costOf, dayStart, visibleCharges, visibleWork, type Work } from "./_books.ts"
import { type AdminRequest, BadRequest, checkNames, groupBy, limitOf, listOf, pageOf, rawNumber } from "./_respond.ts"

const DAY_MS = 86_400_000

/** Which groups each usage report has, by its path. */
const USAGE_GROUPS: Readonly<Record<string, readonly string[]>> = {
  completions: ["project_id", "user_id", "api_key_id", "model", "batch", "service_tier"],
  embeddings: ["project_id", "user_id", "api_key_id", "model"],
  moderations: ["project_id", "user_id", "api_key_id", "model"],
  images: ["project_id", "user_id", "api_key_id", "model", "size", "source"],
  audio_speeches: ["project_id", "user_id", "api_key_id", "model"],
  audio_transcriptions: ["project_id", "user_id", "api_key_id", "model"],
  web_search_calls: ["project_id", "user_id", "api_key_id", "model", "context_level"],
  file_search_calls: ["project_id", "user_id", "api_key_id", "vector_store_id"],
  code_interpreter_sessions: ["project_id"],
  vector_stores: ["project_id"],
}
const RANGE = ["start_time", "end_time", "bucket_width", "group_by", "limit", "page", "project_ids"]

/** Returns the answer of `/v1/organization/usage/*` and `/v1/organization/costs`, or undefined for other paths. */
export function answerOpenAi(books: Books, { path, query }: AdminRequest): unknown {
  if (path === "/v1/organization/costs") return costs(books, query)
  const family = /^\/v1\/organization\/usage\/(\w+)$/.exec(path)?.[1] ?? ""
  return USAGE_GROUPS[family] === undefined ? undefined : usage(books, family, query)
}

function usage(books: Books, family: string, query: URLSearchParams): unknown {
  const groups = USAGE_GROUPS[family]!
  checkNames(query, groups.includes("api_key_id") ? [...RANGE, "api_key_ids"] : RANGE)
  const by = listOf(query, "group_by", groups)
  const works = filtered(visibleWork(books, "openai"), query).filter((work) => isOf(work, family))
  return toPage(query, { max: 31, works }, (inBucket) =>
    groupBy(inBucket, (work) => by.map((name) => fieldOf(work, name))).map((group) => ({
      ...(family === "web_search_calls" ? toSearches(group) : toTokens(group, family)),
      ...Object.fromEntries(groups.map((name) => [name, by.includes(name) ? fieldOf(group[0]!, name) : null])),
    })),
  )
}

function costs(books: Books, query: URLSearchParams): unknown {
  const names = ["project_id", "line_item", "api_key_id"]
  checkNames(query, [...RANGE, "api_key_ids"])
  const by = listOf(query, "group_by", names)
  return toPage(query, { max: 180, works: filtered(toCostLines(books), query) }, (inBucket) =>
    groupBy(inBucket, (line) => by.map((name) => line[name as keyof CostLine])).map((group) => ({
      object: "organization.costs.result",
      amount: { value: rawNumber(formatDecimal(group.reduce((sum, line) => sum + line.cost, 0n))), currency: "usd" },
      ...Object.fromEntries(names.map((name) => [name, by.includes(name) ? group[0]![name as keyof CostLine] : null])),
      quantity: by.includes("line_item") ? sumOf(group, (line) => line.quantity) : null,
    })),
  )
}

interface CostLine {
  readonly at: number
  readonly project: string | undefined
  readonly key: string | undefined
  readonly project_id: string | null
  readonly api_key_id: string | null
  readonly line_item: string
  readonly quantity: number
  readonly cost: Decimal
}

function toCostLines(books: Books): CostLine[] {
  const billed = visibleWork(books, "openai").filter(({ family }) => family !== "moderations")
  const ofWork = billed.flatMap((work) =>
    bucketsOf(work).map((bucket) => ({
      ...work,
      project_id: work.project,
      api_key_id: work.key,
      line_item: toLineItem(work, bucket),
      quantity: work.quantities[bucket] ?? 0,
      cost: costOf(books, work, bucket),
    })),
  )
  const others = visibleCharges(books, "openai").map(({ at, item, amount, project, key }) => ({
    at,
    project,
    key,
    project_id: project ?? null,
    api_key_id: key ?? null,
    line_item: item,
    quantity: 1,
    cost: parseDecimal(amount),
  }))
  return [...ofWork, ...others]
}

/** Writes the line item as OpenAI does: `priority | gpt-5, cached input`. */
function toLineItem({ model, tier }: Work, bucket: Bucket): string {
  if (bucket === "tool") return "web search tool calls"
  const [kind, part] = splitBucket(bucket)
  return `${tier === "standard" ? "" : `${tier} | `}${model}${kind ? ` ${kind}` : ""}, ${part}`
}

function splitBucket(bucket: Bucket): readonly [string | undefined, string] {
  if (bucket === "cache_read") return [undefined, "cached input"]
  if (bucket === "cache_write") return [undefined, "cache writes"]
  const [, kind, part] = /^(?:(audio|image)_)?(input|output)$/.exec(bucket) ?? []
  if (part === undefined) throw new Error(`OpenAI has no bucket ${bucket}`)
  return [kind, part]
}

/** Puts the work into daily buckets, with empty ones between them. */
function toPage<T extends { readonly at: number }>(
  query: URLSearchParams,
  { max, works }: { readonly max: number; readonly works: readonly T[] },
  toResults: (inBucket: readonly T[]) => readonly unknown[],
): unknown {
  const start = Number(query.get("start_time")) * 1000
  const end = Number(query.get("end_time")) * 1000
  if (!(start > 0)) throw new BadRequest("Missing required parameter: 'start_time'.")
  if (!(end > start)) throw new BadRequest("'end_time' must be after 'start_time'.")
  if ((query.get("bucket_width") ?? "1d") !== "1d") throw new BadRequest("this far side has daily buckets only")
  const data: unknown[] = []
  for (let at = dayStart(start); at < end; at += DAY_MS) {
    const inBucket = works.filter((work) => work.at >= Math.max(at, start) && work.at < Math.min(at + DAY_MS, end))
    data.push({
      object: "bucket",
      start_time: at / 1000,
      end_time: Math.min(at + DAY_MS, end) / 1000,
      results: toResults(inBucket),
    })
  }
  return { object: "page", ...pageOf(data, query, limitOf(query, 7, max)) }
}

function filtered<T extends { readonly project: string | undefined; readonly key: string | undefined }>(
  works: readonly T[],
  query: URLSearchParams,
): readonly T[] {
  const [projects, keys] = [listOf(query, "project_ids"), listOf(query, "api_key_ids")]
  const matches = (wanted: readonly string[], value: string | undefined) =>
    wanted.length === 0 || wanted.includes(value ?? "")
  return works.filter(({ project, key }) => matches(projects, project) && matches(keys, key))
}

function isOf(work: Work, family: string): boolean {
  return family === "web_search_calls" ? (work.quantities.tool ?? 0) > 0 : work.family === family
}

function fieldOf({ project, key, model, tier }: Work, name: string): unknown {
  const values: Readonly<Record<string, unknown>> = {
    project_id: project,
    api_key_id: key,
    model,
    batch: tier === "batch",
    service_tier: tier === "standard" || tier === "batch" ? "default" : tier,
  }
  return values[name] ?? null
}

function toSearches(group: readonly Work[]): Record<string, unknown> {
  return {
    object: "organization.usage.web_searches.result",
    num_model_requests: sumOf(group, ({ requests }) => requests),
    num_requests: sumOf(group, ({ quantities }) => quantities.tool ?? 0),
  }
}

function toTokens(group: readonly Work[], family: string): Record<string, unknown> {
  const sum = (...buckets: Bucket[]) =>
    sumOf(group, ({ quantities }) => buckets.reduce((all, bucket) => all + (quantities[bucket] ?? 0), 0))
  const object = `organization.usage.${family}.result`
  const requests = sumOf(group, (work) => work.requests)
  const input = sum("input", "audio_input", "image_input", "cache_read", "cache_write")
  if (family !== "completions") return { object, input_tokens: input, num_model_requests: requests }
  return {
    object,
    input_tokens: input,
    input_cached_tokens: sum("cache_read"),
    input_cache_write_tokens: sum("cache_write"),
    input_uncached_tokens: sum("input", "audio_input", "image_input"),
    input_text_tokens: sum("input"),
    input_audio_tokens: sum("audio_input"),
    input_image_tokens: sum("image_input"),
    output_tokens: sum("output", "audio_output", "image_output"),
    output_text_tokens: sum("output"),
    output_audio_tokens: sum("audio_output"),
    output_image_tokens: sum("image_output"),
    num_model_requests: requests,
  }
}

function sumOf<T>(items: readonly T[], toNumber: (item: T) => number): number {
  return items.reduce((sum, item) => sum + toNumber(item), 0)
}
