/** Counts the tokens of one text. */
export type CountTokens = (text: string) => number

/** The assumed tokens of a picture or file, whatever its size. */
const TOKENS_PER_FILE = 800
/** The tokens that OpenAI adds to each message, and before the answer. */
const TOKENS_PER_MESSAGE = 3
const TOKENS_BEFORE_ANSWER = 3
/** Byte pair encoding takes time in proportion to the square of the length of a word, so longer texts are split. */
const MAX_PIECE_LENGTH = 4096

/** Returns the input tokens of a chat, completions or Responses request; undefined if the body is not one. */
export function countRequest(body: string, count: CountTokens): number | undefined {
  let request: unknown
  try {
    request = JSON.parse(body)
  } catch {
    return undefined
  }
  if (!isObject(request)) return undefined
  const content = request["messages"] ?? request["input"] ?? request["prompt"]
  if (content === undefined) return undefined
  const messages = Array.isArray(content) ? content.length : 1
  const framing = request["prompt"] === content ? 0 : messages * TOKENS_PER_MESSAGE + TOKENS_BEFORE_ANSWER
  const tools = request["tools"] === undefined ? 0 : countPieces(JSON.stringify(request["tools"]), count)
  return framing + tools + countTexts(request["instructions"], count) + countTexts(content, count)
}

/** Returns the tokens of a text as it stands in JSON, with escapes. */
export function countEscaped(text: string, count: CountTokens): number {
  let plain = text
  try {
    plain = JSON.parse(`"${text}"`) as string
  } catch {
    // The text ends inside of an escape, which counts as about one token.
  }
  return countPieces(plain, count)
}

/** The members of messages and their parts whose text the model reads. Other members are structure. */
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
  for (let at = 0; at < text.length; at += MAX_PIECE_LENGTH) sum += count(text.slice(at, at + MAX_PIECE_LENGTH))
  return sum
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
