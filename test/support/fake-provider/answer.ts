import { type Ask, type Made, whole } from "./_shape.ts"
import { anthropic } from "./anthropic.ts"
import { bedrock } from "./bedrock.ts"
import { gemini } from "./gemini.ts"
import { openai } from "./openai.ts"
import { responses } from "./responses.ts"

/** Returns the response of the provider that owns the path. */
export function makeAnswer(ask: Ask): Made {
  const { script } = ask
  const status = script.status ?? 200
  if (script.body !== undefined) return scripted(script.body, status, script.contentType)
  if (script.refuseIncludeUsage && ask.body["stream_options"] !== undefined) {
    return failed(ask, 400, "Unrecognized request argument supplied: stream_options")
  }
  if (status >= 400) return failed(ask, status, `The fake provider was told to answer ${status}.`)
  const made = dialects(ask)
  if (made === undefined) return failed(ask, 404, `Unknown request URL: ${ask.method} ${ask.path}.`)
  return { ...made, status, contentType: script.contentType ?? made.contentType }
}

function dialects(ask: Ask): Made | undefined {
  if (ask.path.startsWith("/v1beta/openai/")) return openai(ask)
  return bedrock(ask) ?? anthropic(ask) ?? gemini(googleModels(ask)) ?? responses(ask) ?? openai(ask)
}

/** `/v1/models` belongs to OpenAI and Anthropic. Only `/v1beta/models` belongs to Gemini. */
function googleModels(ask: Ask): Ask {
  return ask.path.startsWith("/v1/models") && !ask.path.includes(":") ? { ...ask, path: "" } : ask
}

function scripted(body: NonNullable<Ask["script"]["body"]>, status: number, contentType = "application/json"): Made {
  if (typeof body === "string" || body instanceof Uint8Array) {
    return { status, contentType, pieces: [body], stream: false }
  }
  return { status, contentType, pieces: body, stream: true }
}

function failed(ask: Ask, status: number, message: string): Made {
  return { ...whole(refusal(ask, status, message)), status }
}

function refusal({ path, body }: Ask, status: number, message: string): unknown {
  if (/\/messages(\/|$)/.test(path)) {
    const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "api_error"
    return { type: "error", error: { type, message }, request_id: "req_far_side" }
  }
  if (path.startsWith("/v1beta/") && !path.startsWith("/v1beta/openai/")) {
    return { error: { code: status, message, status: status === 429 ? "RESOURCE_EXHAUSTED" : "INVALID_ARGUMENT" } }
  }
  const type = status === 429 ? "requests" : status < 500 ? "invalid_request_error" : "server_error"
  const param = body["stream_options"] !== undefined && status === 400 ? "stream_options" : null
  return { error: { message, type, param, code: null } }
}
