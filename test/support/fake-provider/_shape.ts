import { createHash } from "node:crypto"

/** Token counts in the convention of the columns of `llm_requests`: `input` is all input, `output` all output. */
export interface Tokens {
  readonly input: number
  readonly cached: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
  readonly output: number
  readonly reasoning: number
}

/** How one answer is to be given. What is left out is what the real provider does. */
export interface Script {
  readonly status?: number
  readonly statusMessage?: string
  /** Added to the head of the answer, as sent: `[name, value, …]`. A name given here replaces ours. */
  readonly headers?: readonly string[]
  /** Sent instead of the answer that the path calls for. An array: one write each. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[]
  readonly contentType?: string
  /** The text that the model says. Default: a sentence that names the length of the prompt. */
  readonly text?: string
  /** Content pieces of a stream, default one per word of the text. Given without `text`, the text gets so many words. */
  readonly pieces?: number
  /** Makes the text so many bytes long. */
  readonly textBytes?: number
  /** The model that answers, default the one that was asked for. */
  readonly model?: string
  /** Instead of the predicted counts. */
  readonly tokens?: Partial<Tokens>
  /** `false`: the answer says nothing about usage. An object: sent as the usage object, as it is. */
  readonly usage?: false | Readonly<Record<string, unknown>>
  readonly serviceTier?: string
  /** `": "` and `", "` between the parts of OpenAI's JSON, as servers written in Python send it. */
  readonly spacedJson?: boolean
  readonly lineEnd?: "\n" | "\r\n"
  /** 400 to a request that sets `stream_options`, as some compatible servers do. */
  readonly refuseIncludeUsage?: boolean
  readonly encoding?: "gzip" | "deflate" | "br"
  /** Writes of so many bytes each, wherever that cuts. */
  readonly chunkBytes?: number
  /** Without content-length although the answer is whole. */
  readonly chunked?: boolean
  /** Before the head of the answer. */
  readonly delayMs?: number
  /** Between two pieces. */
  readonly pieceDelayMs?: number
  /** Called, and waited for, before the piece with this number is written: lets a test hold the stream. */
  readonly beforePiece?: (index: number) => Promise<void> | void
  /** Destroys the socket after so many pieces; 0: before the head. */
  readonly breakAfterPieces?: number
  /** Sends nothing more after so many pieces, and does not end; 0: only the head. */
  readonly hangAfterPieces?: number
  /** Reads the request and never answers. */
  readonly never?: boolean
}

/** One request as the fake provider understands it. */
export interface Ask {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
  readonly script: Script
  readonly tokens: Tokens
  readonly text: string
  readonly model: string
  /** The same for the same model and prompt, so that two equal requests get equal bytes. */
  readonly id: string
}

export interface Made {
  readonly status: number
  readonly contentType: string
  readonly pieces: readonly (string | Uint8Array)[]
  /** Several writes and no content-length. */
  readonly stream: boolean
}

const TEXT_KEYS = new Set(["content", "text", "input", "prompt", "system", "instructions"])

/** All that a request says to the model, whatever the dialect: the strings under the keys that hold text. */
export function promptText(body: unknown): string {
  if (Array.isArray(body)) return body.map((item) => (typeof item === "string" ? item : promptText(item))).join("")
  if (typeof body !== "object" || body === null) return ""
  let text = ""
  for (const [key, value] of Object.entries(body)) {
    if (typeof value === "string") text += TEXT_KEYS.has(key) ? value : ""
    else text += promptText(value)
  }
  return text
}

/** The fake provider's tokenizer: one token per four characters begun. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

export function toAsk(method: string, url: string, body: unknown, script: Script): Ask {
  const { pathname, searchParams } = new URL(url, "http://far.side")
  const prompt = promptText(body)
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {}
  const asked = typeof fields["model"] === "string" ? fields["model"] : /models\/([^/:]+)/.exec(pathname)?.[1]
  const model = script.model ?? asked ?? "fake-provider-1"
  const text = answerText(prompt, script)
  const tokens = { ...predicted(prompt, text), ...script.tokens }
  const id = createHash("sha256").update(`${model}\n${prompt}`).digest("hex").slice(0, 24)
  return { method, path: pathname, query: searchParams, body: fields, script, tokens, text, model, id }
}

/** The text in the pieces that a stream sends. */
export function textPieces({ text, script }: Ask): string[] {
  const words = text.match(/\s*\S+\s*$|\s*\S+/g) ?? [text]
  const wanted = script.pieces ?? words.length
  if (wanted >= words.length) return words
  const perPiece = Math.ceil(words.length / wanted)
  return Array.from({ length: wanted }, (_, at) => words.slice(at * perPiece, (at + 1) * perPiece).join("")).filter(
    (piece) => piece !== "",
  )
}

export function whole(value: unknown, contentType = "application/json"): Made {
  return { status: 200, contentType, pieces: [JSON.stringify(value)], stream: false }
}

function answerText(prompt: string, { text, pieces, textBytes }: Script): string {
  if (textBytes !== undefined) return (text ?? "far ").repeat(Math.ceil(textBytes / 4)).slice(0, textBytes)
  if (text !== undefined) return text
  if (pieces !== undefined) return Array.from({ length: pieces }, (_, at) => `word${at}`).join(" ")
  return `The fake provider heard ${prompt.length} characters.`
}

function predicted(prompt: string, text: string): Tokens {
  const input = Math.max(1, countTokens(prompt))
  return { input, cached: 0, cacheWrite: 0, cacheWrite1h: 0, output: countTokens(text), reasoning: 0 }
}
