import { existsSync, readFileSync } from "node:fs"
import type { Reading } from "../../src/core/usage.ts"
import { meterBilled } from "../conformance/judge.ts"
import type { Recording } from "../conformance/recordings.ts"

/** One priced answer of the corpus: the reported usage, and its cost as calculated by hand. */
export interface CostCase {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly usage: unknown
  readonly context: { readonly service_tier?: string }
  readonly price_date: string
  readonly arithmetic: string
  readonly expected_cost_usd: string | null
  readonly confidence: "A" | "B" | "C"
  readonly corpus_case: string | null
}

/** Reads the cases; undefined if the corpus is not on this machine. */
export function readCostCases(path: string): readonly CostCase[] | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { cases: CostCase[] }).cases : undefined
}

/** Meters the answer of a case: the recorded one, or else one that is built around the usage of the case. */
export function readingsOf(given: CostCase, recordings: readonly Recording[]): readonly Reading[] {
  const recorded = recordings.find(({ id, provider }) => id === given.corpus_case && provider === given.provider)
  return meterBilled(recorded ?? answerAround(given), Number.MAX_SAFE_INTEGER)
}

function answerAround(given: CostCase): Recording {
  const { body, ...rest } = wrapped(given)
  return {
    id: given.id,
    provider: given.provider,
    streaming: false,
    content_type: "application/json",
    status: 200,
    kind: "chat",
    ...rest,
    response_body: typeof body === "string" ? body : JSON.stringify(body),
    expected: NOTHING_EXPECTED,
  }
}

type Wrapped = { readonly path: string; readonly body: unknown } & Partial<Pick<Recording, "kind" | "content_type">>

function wrapped(given: CostCase): Wrapped {
  if (given.provider === "anthropic") return anthropicAnswer(given)
  return given.provider.startsWith("google") ? geminiAnswer(given) : openaiAnswer(given)
}

function anthropicAnswer({ id, model, usage }: CostCase): Wrapped {
  if (id.includes("count-tokens")) return { path: "/v1/messages/count_tokens", body: usage }
  if (!Array.isArray(usage)) return { path: "/v1/messages", body: { type: "message", model, content: [], usage } }
  if (id.includes("batch")) {
    const lines = usage.map((each, index) => ({
      custom_id: `c${index}`,
      result: { type: "succeeded", message: { type: "message", model, usage: each } },
    }))
    return {
      path: "/v1/messages/batches/b/results",
      kind: "batch_results",
      content_type: "application/x-jsonl",
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
    }
  }
  const [start, ...deltas] = usage
  const events = [
    { type: "message_start", message: { type: "message", model, usage: start } },
    ...deltas.map((each) => ({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: each })),
    { type: "message_stop" },
  ]
  return {
    path: "/v1/messages",
    content_type: "text/event-stream",
    body: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
  }
}

function geminiAnswer({ id, model, usage }: CostCase): Wrapped {
  const { groundingMetadata, ...usageMetadata } = usage as { readonly groundingMetadata?: unknown }
  const answer = { modelVersion: model, candidates: [{ finishReason: "STOP", groundingMetadata }], usageMetadata }
  if (!id.includes("batch")) return { path: `/v1beta/models/${model}:generateContent`, body: answer }
  return {
    path: "/v1beta/files/b:download",
    kind: "batch_results",
    content_type: "application/x-jsonl",
    body: `${JSON.stringify({ response: answer })}\n`,
  }
}

/** The server tools of cases without a recording in the corpus. The cases describe them in words. */
const TOOL_CALLS: Readonly<Record<string, readonly unknown[]>> = {
  "oai-32-web-search-open-page": [
    ...Array.from({ length: 7 }, () => ({ type: "web_search_call", action: { type: "search" } })),
    ...Array.from({ length: 2 }, () => ({ type: "web_search_call", action: { type: "open_page" } })),
  ],
  "oai-33-file-search": [{ type: "file_search_call" }],
}

function openaiAnswer({ id, model, usage, context }: CostCase): Wrapped {
  const answer = { model, usage, ...context }
  if (id.includes("moderation")) return { path: "/v1/moderations", body: { model, results: [] } }
  if (id.includes("embed")) return { path: "/v1/embeddings", body: { object: "list", ...answer } }
  if (id.includes("transcribe")) return { path: "/v1/audio/transcriptions", body: { text: "", ...answer } }
  if (id.includes("instruct")) return { path: "/v1/completions", body: { ...answer, choices: [] } }
  if (id.includes("batch")) {
    const line = { id: "b1", response: { status_code: 200, body: answer } }
    return {
      path: "/v1/files/f/content",
      kind: "batch_results",
      content_type: "application/octet-stream",
      body: `${JSON.stringify(line)}\n`,
    }
  }
  const isResponses = usage !== null && "input_tokens" in (usage as object)
  if (isResponses)
    return { path: "/v1/responses", body: { object: "response", output: TOOL_CALLS[id] ?? [], ...answer } }
  return { path: "/v1/chat/completions", body: { object: "chat.completion", choices: [], ...answer } }
}

const NOTHING_EXPECTED: Recording["expected"] = {
  model: null,
  usage_found: true,
  input_tokens: 0,
  output_tokens: 0,
  cached_tokens: 0,
  cache_creation_tokens: 0,
}
