import { type Ask, countTokens, type Made, textPieces, whole } from "./_shape.ts"

const JSON_TYPE = "application/json; charset=UTF-8"

/** Returns the response of Gemini's own API, or undefined for other paths. */
export function gemini(ask: Ask): Made | undefined {
  const { path, tokens, text, model } = ask
  if (path.endsWith(":generateContent")) return pretty(chunk(ask, text, tokens.output, true))
  if (path.endsWith(":streamGenerateContent")) return ask.query.get("alt") === "sse" ? sse(ask) : array(ask)
  if (path.endsWith(":countTokens")) {
    return pretty({ totalTokens: tokens.input, promptTokensDetails: [{ modality: "TEXT", tokenCount: tokens.input }] })
  }
  if (path.endsWith(":embedContent")) return pretty({ embedding: { values: [0.25, -0.5, 0.125, 0.75] } })
  if (path.endsWith(":batchEmbedContents")) {
    const requests = Array.isArray(ask.body["requests"]) ? ask.body["requests"] : []
    return pretty({ embeddings: requests.map(() => ({ values: [0.25, -0.5, 0.125, 0.75] })) })
  }
  const entry = { name: `models/${model}`, version: "001", displayName: "Far Side" }
  if (/\/v1(beta)?\/models$/.test(path)) return pretty({ models: [entry] })
  if (/\/v1beta\/models\/[^/:]+$/.test(path)) return pretty(entry)
  return undefined
}

/** One element of a response. Counts are cumulative, and candidates exclude the thoughts. */
function chunk(ask: Ask, text: string, output: number, last: boolean): Record<string, unknown> {
  const { tokens, script } = ask
  const made = {
    promptTokenCount: tokens.input,
    candidatesTokenCount: Math.max(0, output - tokens.reasoning),
    totalTokenCount: tokens.input + Math.max(output, tokens.reasoning),
    ...(tokens.cached > 0 ? { cachedContentTokenCount: tokens.cached } : {}),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: tokens.input }],
    ...(tokens.reasoning > 0 ? { thoughtsTokenCount: tokens.reasoning } : {}),
    serviceTier: script.serviceTier ?? "standard",
  }
  return {
    candidates: [
      { content: { parts: [{ text }], role: "model" }, ...(last ? { finishReason: "STOP" } : {}), index: 0 },
    ],
    ...(script.usage === false ? {} : { usageMetadata: script.usage ?? made }),
    modelVersion: ask.model,
    responseId: ask.id,
  }
}

function chunks(ask: Ask): readonly unknown[] {
  const pieces = textPieces(ask)
  let heard = ""
  return pieces.map((text, at) => {
    heard += text
    const last = at === pieces.length - 1
    return chunk(ask, text, last ? ask.tokens.output : Math.min(countTokens(heard), ask.tokens.output), last)
  })
}

function sse(ask: Ask): Made {
  const end = ask.script.lineEnd ?? "\r\n"
  const pieces = chunks(ask).map((element) => `data: ${JSON.stringify(element)}${end}${end}`)
  return { status: 200, contentType: "text/event-stream", pieces, stream: true }
}

/** The stream without `alt=sse`: one pretty-printed array whose elements arrive one by one. */
function array(ask: Ask): Made {
  const elements = chunks(ask).map((element) => JSON.stringify(element, null, 2))
  const pieces = elements.map((element, at) => (at === 0 ? `[${element}` : `\n,\r\n${element}`))
  return { status: 200, contentType: JSON_TYPE, pieces: [...pieces, "\n]"], stream: true }
}

function pretty(value: unknown): Made {
  return { ...whole(value, JSON_TYPE), pieces: [`${JSON.stringify(value, null, 2)}\n`] }
}
