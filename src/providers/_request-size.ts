import { skipSpace } from "../kit/json/members.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"

const QUOTE = 34
/** No name that is searched for is longer. */
const MAX_NAME_BYTES = 40

/** The most tokens of one picture: OpenAI's gpt-4o-mini counts up to 48,000 for one of the largest. */
const TOKENS_PER_PICTURE = 50_000
/** The most tokens that a provider adds around a body: the form of messages, and the prompt about tools. */
const TOKENS_AROUND = 1000

/** The names and types that stand for a picture, in any API. A picture that has both counts twice. */
const PICTURES = new Set(["image", "image_url", "input_image", "inlineData", "inline_data"])

/** The members that name content which is not in the body, or whose tokens do not follow from its length. */
const OPEN_NAMES = new Set([
  ...["previous_response_id", "conversation", "container", "cachedContent", "cached_content", "mcp_servers"],
  ...["file_id", "file_url", "file_data", "fileUri", "file_uri", "document", "video", "video_url", "s3Location"],
  ...["web_search_options", "vector_store_ids"],
  ...["googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "urlContext", "url_context"],
  ...["codeExecution", "code_execution", "googleMaps", "google_maps", "fileSearch", "computerUse", "computer_use"],
])
/** The types of such content, and of the tools with which a provider adds to the input while it works. */
const OPEN_TYPES = new Set([
  ...["document", "input_file", "file", "web_search", "web_search_preview", "file_search", "mcp", "code_interpreter"],
  ...["image_generation", "computer_use_preview", "computer", "tool_search", "shell", "x_search"],
])
/** The tools that Anthropic runs or describes, such as `web_search_20250305`. */
const VERSIONED_TYPE = /_20\d{6}$/
/** Media types of documents and films. */
const OPEN_MEDIA = /^(?:application\/|video\/)/

const COLON = 58
const OPEN_OBJECT = 123
const LETTER_N = 110

/**
 * Returns the most input tokens that a JSON body can have: no token is shorter than a byte, and a picture may have more
 * tokens than its bytes. Infinity: the body does not say, and only the context window of the model is a limit.
 */
export function maxInputTokens(body: Buffer): number {
  let pictures = 0
  let name = ""
  let at = body.indexOf(QUOTE)
  while (at >= 0) {
    const end = stringEnd(body, at)
    if (end < 0) break
    const text = end - at <= MAX_NAME_BYTES ? body.toString("latin1", at + 1, end - 1) : ""
    const next = skipSpace(body, end)
    if (body[next] === COLON) {
      const value = body[skipSpace(body, next + 1)]
      if (isOpenName(text, value)) return Number.POSITIVE_INFINITY
      if (PICTURES.has(text)) pictures++
      name = text
    } else {
      if (isOpenValue(name, text)) return Number.POSITIVE_INFINITY
      if (name === "type" && PICTURES.has(text)) pictures++
      name = ""
    }
    at = body.indexOf(QUOTE, end)
  }
  return body.length + TOKENS_AROUND + pictures * TOKENS_PER_PICTURE
}

/** A member that is null names nothing. A prompt that is an object is a stored one. */
function isOpenName(name: string, value: number | undefined): boolean {
  return name === "prompt" ? value === OPEN_OBJECT : value !== LETTER_N && OPEN_NAMES.has(name)
}

function isOpenValue(name: string, text: string): boolean {
  if (name === "type") return OPEN_TYPES.has(text) || VERSIONED_TYPE.test(text)
  return (name === "mimeType" || name === "mime_type" || name === "media_type") && OPEN_MEDIA.test(text)
}
