import { createHash } from "node:crypto"

/** Token counts in the convention of the columns of `llm_requests`: `input` is all input, `output` is all output. */
export interface Tokens {
  readonly input: number
  readonly cached: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
  readonly output: number
  readonly reasoning: number
}

/** How one response is given. Missing members mean the behavior of the real provider. */
export interface Script {
  readonly status?: number
  readonly statusMessage?: string
  /** Headers to add, as sent: `[name, value, …]`. A name given here replaces the fake provider's. */
  readonly headers?: readonly string[]
  /** Sent instead of the response of the path. Each element of an array is one write. */
  readonly body?: string | Uint8Array | readonly (string | Uint8Array)[]
  readonly contentType?: string
  /** The text that the model says. The default is a sentence with the length of the prompt. */
  readonly text?: string
  /** The number of content pieces of a stream; by default one per word of the text. Without `text`, the text has that many words. */
  readonly pieces?: number
  /** The length of the text in bytes. */
  readonly textBytes?: number
  /** The model that responds; by default the requested one. */
  readonly model?: string
  /** Token counts instead of the predicted ones. */
  readonly tokens?: Partial<Tokens>
  /** With `false`, the response has no usage. An object is sent as the usage object, unchanged. */
  readonly usage?: false | Readonly<Record<string, unknown>>
  readonly serviceTier?: string
  /** Writes `": "` and `", "` between the parts of OpenAI's JSON, like servers written in Python. */
  readonly spacedJson?: boolean
  readonly lineEnd?: "\n" | "\r\n"
  /** Responds with 400 to a request that sets `stream_options`, like some compatible servers. */
  readonly refuseIncludeUsage?: boolean
  readonly encoding?: "gzip" | "deflate" | "br"
  /** Writes this many bytes at a time, wherever that splits the text. */
  readonly chunkBytes?: number
  /** Sends no content-length, although the response is complete. */
  readonly chunked?: boolean
  /** The delay before the headers of the response, in ms. */
  readonly delayMs?: number
  /** The delay between two pieces, or between two bursts, in ms. */
  readonly pieceDelayMs?: number
  /** So many pieces are written in one tick, so that they leave in one write; without `pieceDelayMs`, the next ones follow in the next turn. */
  readonly burst?: number
  /** Called and awaited before the piece with this number is written, so that a test can hold the stream. */
  readonly beforePiece?: (index: number) => Promise<void> | void
  /** Destroys the socket after this many pieces. 0 means before the headers. */
  readonly breakAfterPieces?: number
  /** Sends nothing more after this many pieces, and does not end. 0 means that only the headers are sent. */
  readonly hangAfterPieces?: number
  /** Reads the request and never responds. */
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
  /** The same value for the same model and prompt, so that equal requests get equal bytes. */
  readonly id: string
}

export interface Made {
  readonly status: number
  readonly contentType: string
  readonly pieces: readonly (string | Uint8Array)[]
  /** Whether there are several writes and no content-length. */
  readonly stream: boolean
}

const TEXT_KEYS = new Set(["content", "text", "input", "prompt", "system", "instructions"])

/** Returns everything that a request says to the model in any dialect: the strings under the keys that contain text. */
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

/** The tokenizer of the fake provider: one token per four characters, rounded up. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

export function toAsk(method: string, url: string, body: unknown, script: Script): Ask {
  const { pathname, searchParams } = new URL(url, "http://far.side")
  const prompt = promptText(body)
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {}
  const asked = typeof fields["model"] === "string" ? fields["model"] : /models?\/([^/:]+)/.exec(pathname)?.[1]
  // A deployment of Azure is a name of the customer's. The answer names the model.
  const deployed = pathname.includes("/deployments/") ? "gpt-4o-mini-2024-07-18" : undefined
  const model = script.model ?? deployed ?? asked ?? "fake-provider-1"
  const text = answerText(prompt, script)
  const tokens = { ...predicted(prompt, text), ...script.tokens }
  const id = createHash("sha256").update(`${model}\n${prompt}`).digest("hex").slice(0, 24)
  return { method, path: pathname, query: searchParams, body: fields, script, tokens, text, model, id }
}

/** Splits the text into the pieces that a stream sends. */
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
