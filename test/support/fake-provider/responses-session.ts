import { toAsk } from "./_shape.ts"
import { makeAnswer } from "./answer.ts"
import type { SessionApi, SessionPort, SessionScript } from "./sockets.ts"

/**
 * A session of the Responses API: each `response.create` is answered by the events of the stream that the same request
 * gets over HTTP. Requests of one `stream_id` are answered one after the other, those of several side by side.
 */
export function createResponsesSession(port: SessionPort): SessionApi {
  const lanes = new Map<unknown, Promise<void>>()
  let responses = 0
  return {
    onMessage(message) {
      const { type, stream_id: stream } = message
      if (type !== "response.create") {
        port.send(toError(400, `Invalid value: '${String(type)}'.`, stream))
        return
      }
      const before = lanes.get(stream) ?? Promise.resolve()
      const number = ++responses
      const answered = before.then(() => port.answer(toEvents(port, message, number)))
      lanes.set(stream, answered)
    },
  }
}

function toEvents(port: SessionPort, message: Readonly<Record<string, unknown>>, number: number): object[] {
  const { script, url } = port
  const { type: _, stream_id: stream, generate, ...request } = message
  const lane = typeof stream === "string" ? { stream_id: stream } : {}
  if (script.status !== undefined)
    return [toError(script.status, `The fake provider was told to answer ${script.status}.`, stream)]
  if (request["previous_response_id"] === "resp_unknown") return [toError(400, "Previous response not found.", stream)]
  const made = makeAnswer(toAsk("POST", url.pathname, { ...request, stream: true }, toScript(script)))
  const events = made.pieces.map((piece) => JSON.parse(/^data: (.*)$/m.exec(String(piece))![1]!))
  const own = { id: `resp_${number}`, previous_response_id: request["previous_response_id"] ?? null }
  const named = events.map((event) => ({
    ...event,
    ...(event.response && { response: { ...event.response, ...own } }),
    ...lane,
  }))
  return generate === false
    ? named.filter(({ type }) => /\.(?:created|completed)$/.test(type)).map(withoutOutput)
    : named
}

/** A warm-up reports its input, and generates nothing. */
function withoutOutput(event: { readonly response: Readonly<Record<string, unknown>> }): object {
  const { usage, ...response } = event.response
  const counts = usage as { readonly input_tokens: number } | null
  const warm = counts && { ...counts, output_tokens: 0, total_tokens: counts.input_tokens }
  return { ...event, response: { ...response, output: [], usage: warm } }
}

function toScript({ text, pieces, model, tokens, serviceTier, usage }: SessionScript) {
  const given = { text, pieces, model, tokens, serviceTier, usage }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function toError(status: number, message: string, stream: unknown): object {
  const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error"
  const error = { type, code: status === 429 ? "rate_limit_exceeded" : null, message, param: null }
  return { type: "error", status, error, ...(typeof stream === "string" && { stream_id: stream }) }
}
