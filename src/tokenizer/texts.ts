/** Counts the tokens of one text. */
export type CountTokens = (text: string) => number

/** A picture or file is taken for so many tokens, whatever its bytes. */
const TOKENS_PER_FILE = 800
/** What OpenAI adds around each message, and before the answer. */
const TOKENS_PER_MESSAGE = 3
const TOKENS_BEFORE_ANSWER = 3
/** Byte pair encoding of one word takes the square of its length: words this long are no words, and are cut. */
const MAX_PIECE = 4096

/** The input tokens of a chat, completions or Responses request; undefined: it is none that can be read. */
export function countRequest(body: string, count: CountTokens): number | undefined {
  let request: unknown
  try {
    request = JSON.parse(body)
  } catch {
    return undefined
  }
  if (!isObject(request)) return undefined
  const given = request["messages"] ?? request["input"] ?? request["prompt"]
  if (given === undefined) return undefined
  const messages = Array.isArray(given) ? given.length : 1
  const framing = request["prompt"] === given ? 0 : messages * TOKENS_PER_MESSAGE + TOKENS_BEFORE_ANSWER
  const tools = request["tools"] === undefined ? 0 : countPieces(JSON.stringify(request["tools"]), count)
  return framing + tools + countTexts(request["instructions"], count) + countTexts(given, count)
}

/** The tokens of text that stood in JSON, escapes and all. */
export function countEscaped(text: string, count: CountTokens): number {
  let plain = text
  try {
    plain = JSON.parse(`"${text}"`) as string
  } catch {
    // An escape was cut in two: what is left of it is one token more.
  }
  return countPieces(plain, count)
}

/** Members of messages and their parts that are text to the model; what else they hold is structure. */
const TEXTS = new Set(["content", "text", "role", "name", "arguments", "output", "refusal", "function", "tool_calls"])
const FILES = new Set(["image_url", "input_audio", "file", "file_data"])

function countTexts(value: unknown, count: CountTokens): number {
  if (typeof value === "string") return countPieces(value, count)
  if (Array.isArray(value)) return value.reduce((sum: number, element) => sum + countTexts(element, count), 0)
  if (!isObject(value)) return 0
  let sum = 0
  for (const [name, member] of Object.entries(value)) {
    if (FILES.has(name)) sum += TOKENS_PER_FILE
    else if (TEXTS.has(name)) sum += countTexts(member, count)
  }
  return sum
}

function countPieces(text: string, count: CountTokens): number {
  let sum = 0
  for (let at = 0; at < text.length; at += MAX_PIECE) sum += count(text.slice(at, at + MAX_PIECE))
  return sum
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
