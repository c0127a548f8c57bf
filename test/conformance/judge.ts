import { NO_READING, type Reading, toTokenTotals } from "../../src/core/usage.ts"
import type { JobSink } from "../../src/providers/_jobs.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { bodyOf, headersOf, type Recording } from "./recordings.ts"

/**
 * Reads a recorded response with the meter of its dialect, in pieces of `size` bytes. If the response delivers one item
 * of a batch, this is the reading of the item.
 */
export function meterRecording(recording: Recording, size: number): Reading {
  const { reading, items } = meter(recording, size)
  return items.length === 1 ? items[0]! : reading
}

/** Reads what a recorded response bills: itself, or each item of a batch that it delivers. */
export function meterBilled(recording: Recording, size: number): readonly Reading[] {
  const { reading, items } = meter(recording, size)
  return items.length > 0 ? items : [reading]
}

/** Returns in words how the meter misreads a recording in pieces of `size` bytes, or each item of a batch. */
export function judgeMetered(recording: Recording, size: number): string[] {
  const expected = itemsOf(recording)
  const { reading, items } = meter(recording, size)
  if (!expected) return judge(recording, reading)
  if (items.length !== expected.length) return [`items: expected ${expected.length}, got ${items.length}`]
  return expected.flatMap((item, index) => judge(item, items[index]!))
}

/** Returns the items of a batch's results, each with its own expectation; undefined: the recording is no such results. */
export function itemsOf(recording: Recording): readonly Recording[] | undefined {
  const { expected } = recording
  return expected.items?.map((item) => ({ ...recording, expected: { ...expected, ...item } }))
}

function meter(recording: Recording, size: number): { readonly reading: Reading; readonly items: readonly Reading[] } {
  const { request, head } = asRequest(recording)
  const dialect = DIALECTS[formatOf(recording)]
  const items: Reading[] = []
  const sink: JobSink = {
    onJob: (sighting) => void ("reading" in sighting && sighting.item !== "" && items.push(sighting.reading)),
  }
  const meter = dialect.createMeter(request, dialect.framing(request, head), sink, headersOf(recording))
  const bytes = bodyOf(recording)
  for (let at = 0; meter && at < bytes.length; at += size) meter.push(Buffer.from(bytes.subarray(at, at + size)))
  const reading = meter?.end({ complete: recording.expected.partial !== true })
  return { reading: reading ?? { ...NO_READING, free: dialect.isFree(request) }, items }
}

export function formatOf({ provider, host, path }: Recording): Format {
  if (provider === "anthropic" || path.includes("/publishers/anthropic/")) return "anthropic"
  // The host bedrock-mantle has OpenAI's API.
  if (provider === "bedrock") return host?.startsWith("bedrock-mantle.") ? "openai" : "bedrock"
  if (provider === "vertex") return "gemini"
  return provider.startsWith("google") ? "gemini" : "openai"
}

export function methodOf({ kind, method }: Recording): string {
  return method ?? (kind === "responses_retrieve" || kind === "batch_results" ? "GET" : "POST")
}

export function asRequest(recording: Recording) {
  const [path = "", query] = recording.path.split("?")
  const request = {
    provider: recording.provider,
    method: methodOf(recording),
    path,
    query: query === undefined ? "" : `?${query}`,
    headers: {},
    body: Buffer.alloc(0),
    host: "provider.test",
  }
  return { request, head: { statusCode: recording.status, contentType: recording.content_type } }
}

/** Returns the name of a model as rows have it: without the `models/` that Gemini's API writes before some names. */
export function toModelName(recorded: string): string
export function toModelName(recorded: string | null): string | null
export function toModelName(recorded: string | null): string | null {
  return recorded?.replace(/^models\//, "") ?? null
}

/** Vertex's traffic types, where the client asked for enumerations as numbers. */
const TRAFFIC_TYPES = ["traffic_type_unspecified", "on_demand", "provisioned_throughput"]

function tierOf({ service_tier, traffic_type }: Recording["expected"]): string | undefined {
  if (typeof traffic_type === "number") return TRAFFIC_TYPES[traffic_type]
  return (service_tier ?? traffic_type)?.toLowerCase()
}

/** Returns in words how a reading differs from the expected one. The list is empty if it does not. */
export function judge({ expected, kind }: Recording, reading: Reading): string[] {
  const wrong: string[] = []
  const check = (name: string, got: unknown, want: unknown) => {
    if (got !== want) wrong.push(`${name}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`)
  }
  const totals = toTokenTotals(reading.parts)
  const extra = expected.additional_billed_iterations ?? []
  const sum = (of: (one: (typeof extra)[number]) => number) => extra.reduce((total, one) => total + of(one), 0)
  const input =
    expected.input_tokens + sum((one) => one.input_tokens_uncached + one.cached_tokens + one.cache_creation_tokens)

  if (!expected.models_ok) check("model", reading.model ?? null, toModelName(expected.model))
  else if (reading.model !== undefined && !expected.models_ok.includes(reading.model)) {
    check("model", reading.model, expected.models_ok)
  }
  // A stream without reported usage may be estimated, as long as the reading says so.
  if (expected.usage_found || !(expected.partial || reading.source === "estimated")) {
    check("usage found", reading.source !== "none", expected.usage_found)
    check("input tokens", totals.inputTokens, input)
    const output = expected.output_tokens + sum((one) => one.output_tokens)
    // For an interrupted stream, the recording has only a lower bound.
    check("output tokens", expected.partial ? Math.min(totals.outputTokens, output) : totals.outputTokens, output)
  }
  // The columns are parts of input and output. What a provider reports beyond that is clamped and marked.
  check("cached tokens", totals.cachedTokens, Math.min(input, expected.cached_tokens + sum((one) => one.cached_tokens)))
  check(
    "written tokens",
    totals.cacheCreationTokens,
    expected.cache_creation_tokens + sum((one) => one.cache_creation_tokens),
  )
  check("written for 1 h", totals.cacheCreation1hTokens, expected.cache_creation_1h_tokens ?? 0)
  check("reasoning", totals.reasoningTokens, Math.min(totals.outputTokens, expected.reasoning_tokens ?? 0))
  // The recordings of clouds have the same reason in other words.
  const { inconsistent_usage: reason } = expected
  check("inconsistent", reading.inconsistent, reason && expected.models_ok ? (reading.inconsistent ?? reason) : reason)
  if (expected.usage_found) check("parts", reading.parts.length, 1 + extra.length)

  const usage = reading.parts[0]?.usage
  if (usage) {
    check("audio in", usage.inputAudio + usage.cacheReadAudio, expected.input_audio_tokens ?? 0)
    if (expected.cached_audio_tokens) check("cached audio", usage.cacheReadAudio, expected.cached_audio_tokens)
    check("audio out", usage.outputAudio, expected.output_audio_tokens ?? 0)
    check("image out", usage.outputImage, expected.output_image_tokens ?? 0)
  }
  // The recordings of clouds state neither tools nor costs, and no tier that stands inside of a usage.
  const statesAll = expected.models_ok === undefined
  if (expected.usage_found && (statesAll || tierOf(expected) !== undefined))
    check("tier", reading.tier, tierOf(expected))
  if (expected.provider_reported_cost_usd !== undefined) {
    const cost = reading.reportedCostUsd
    check("reported cost", cost === undefined ? 0 : Number(cost), expected.provider_reported_cost_usd)
  } else if (statesAll) {
    check("reported cost", reading.reportedCostUsd, undefined)
  }
  const calls = expected.server_tool_calls
  const searches = expected.web_search_requests ?? calls?.["web_search_call"]
  const { webSearches, webSearchPreviews } = reading.units
  if (!kind.includes("Content")) check("web searches", webSearches ?? webSearchPreviews, searches || undefined)
  if (statesAll) check("file searches", reading.units.fileSearches, calls?.["file_search_call"])
  if (calls) {
    const { server_tool_calls } = reading.raw as { server_tool_calls?: unknown }
    check("tool calls", JSON.stringify(server_tool_calls), JSON.stringify(calls))
  }
  if (expected.free_endpoint) check("free", reading.free, true)
  return wrong
}
