import { findMembers, MemberNames, memberValue } from "../../kit/json/members.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { estimateInput } from "../_estimate.ts"
import { readFormFields } from "../_multipart.ts"
import { FILM_NOT_MADE, type Pieces } from "../_pieces.ts"
import { bytesOf, countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import type { Kind } from "./routes.ts"

/** The facts by which pieces are counted. */
interface Order {
  readonly request: ProviderRequest
  readonly kind: Kind | undefined
  /** The answer, where it states what was made: a film, or the pages that were read. */
  readonly answer: JsonObject | undefined
  /** The number of pictures in the answer. */
  readonly images: number
}

/**
 * Returns what is billed by the piece and stands in no usage: pictures, the characters of a speech, films and pages. Only
 * these operations read the request for it. undefined: nothing.
 */
export function readPieces(order: Order): Pieces | undefined {
  switch (order.kind) {
    case "images":
      return order.images > 0 ? readImages(order) : undefined
    case "speech":
      return readSpeech(order)
    case "videos":
      return order.answer && readVideo(order, order.answer)
    case "ocr":
      return order.answer && readPages(order, order.answer)
    default:
      return undefined
  }
}

/** The length of a film whose order states none. */
const DEFAULT_FILM = { pieces: { videoSeconds: 4 } }

/**
 * Returns the pieces that a request orders, before it is answered. No pieces: only its input is billed. undefined: it
 * orders text, or pieces whose number it does not state.
 */
export function readOrder(request: ProviderRequest, kind: Kind | undefined): Pieces | undefined {
  const order: Order = { request, kind, answer: { id: "ordered" }, images: 0 }
  if (kind === "embeddings") return { pieces: {} }
  if (kind === "images") return readImages({ ...order, images: countOf(readFields(request, ["n"])["n"]) || 1 })
  if (kind === "speech") return readSpeech(order)
  if (TRANSCRIPTION.test(request.path)) return { pieces: { audioSeconds: secondsOf(request) } }
  return kind === "videos" ? (readVideo(order, order.answer!) ?? DEFAULT_FILM) : undefined
}

const TRANSCRIPTION = /\/audio\/(?:transcriptions|translations)$/
/** Sound of 16 kbit/s, which is hardly ever less. */
const BYTES_PER_SECOND = 2000

function secondsOf({ headers, body }: ProviderRequest): number {
  const bytes = Number(headers["content-length"]) || body.length
  return Math.max(1, Math.ceil(bytes / BYTES_PER_SECOND))
}

/** The price of a picture depends on its size and quality. DALL-E states its defaults; other models choose by themselves. */
function readImages({ request, images }: Order): Pieces {
  const { model, size, quality } = readFields(request, ["model", "size", "quality"])
  const isDallE = model === undefined || /dall-e/.test(model)
  const kind = isDallE ? `${size ?? "1024x1024"} ${quality ?? "standard"}` : `${size ?? "auto"} ${quality ?? "auto"}`
  return { pieces: { images }, kinds: { images: kind } }
}

/** Models whose speech is billed by tokens, which only a streamed answer reports. */
const TOKEN_SPEECH = /(?:^|\/)gpt-/
/**
 * The tokens of sound for each token of the text that is spoken: OpenAI's page of July 2025 has 0.015 USD per minute at 12
 * USD per million, which is 1,250 tokens, and a minute of speech is about 200 tokens of text.
 */
const SOUND_PER_TEXT = 6

function readSpeech({ request }: Order): Pieces | undefined {
  const { model, input } = readFields(request, ["model", "input"])
  if (input === undefined || (model !== undefined && TOKEN_SPEECH.test(model))) return undefined
  return { pieces: { characters: countCharacters(input) } }
}

/** Returns the estimated tokens of a speech that is billed by tokens and does not report them; undefined for any other. */
export function estimateSpeech(request: ProviderRequest): JsonObject | undefined {
  const { model, input } = readFields(request, ["model", "input"])
  if (input === undefined || model === undefined || !TOKEN_SPEECH.test(model)) return undefined
  const spoken = estimateInput(Buffer.from(JSON.stringify(input)))
  const all = estimateInput(bytesOf(request.body))
  return { input_tokens: Math.max(spoken, all), output_tokens: spoken * SOUND_PER_TEXT, tokenizer: "characters" }
}

/** Returns the number of Unicode code points. */
function countCharacters(text: string): number {
  let characters = 0
  for (const _ of text) characters++
  return characters
}

/** A film is ordered here and made later. The answer repeats the length and the size of the order. */
function readVideo({ request }: Order, answer: JsonObject): Pieces | undefined {
  if (textOf(answer["id"]) === undefined || answer["status"] === "failed") return undefined
  const asked = readFields(request, ["seconds", "size"])
  const seconds = Number(answer["seconds"] ?? asked["seconds"])
  const size = textOf(answer["size"]) ?? asked["size"]
  if (!(seconds > 0) || !Number.isFinite(seconds)) return undefined
  return {
    pieces: { videoSeconds: seconds },
    ...(size ? { kinds: { videoSeconds: size } } : {}),
    ...(answer["status"] === "completed" ? {} : { missing: FILM_NOT_MADE }),
  }
}

/** Mistral counts the pages that it read. Pages whose text is put into a given structure cost more. */
function readPages({ request }: Order, answer: JsonObject): Pieces | undefined {
  const pages = countOf(objectOf(answer["usage_info"])?.["pages_processed"])
  if (!pages) return undefined
  const bytes = bytesOf(request.body)
  const found = findMembers(bytes, ANNOTATION_NAMES)?.found
  const isAnnotated = ANNOTATIONS.some((name) => bytes[found?.[name]?.start ?? bytes.length] === OPEN_OBJECT)
  return { pieces: { pages }, ...(isAnnotated ? { kinds: { pages: "annotated" } } : {}) }
}

const OPEN_OBJECT = 123
const ANNOTATIONS = ["document_annotation_format", "bbox_annotation_format"]
const ANNOTATION_NAMES = new MemberNames(ANNOTATIONS)

/** No text that is spoken is longer. */
const MAX_FIELD_BYTES = 256 * 1024

/** Returns text members of a request, in JSON or in a form. A number is returned as text. */
function readFields<Name extends string>(
  { headers, body }: ProviderRequest,
  names: readonly Name[],
): { readonly [K in Name]?: string } {
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (/^multipart\/form-data/i.test(type)) return readFormFields(type, bytes, names) as { [K in Name]?: string }
  const found = findMembers(bytes, new MemberNames(names))?.found
  const fields: { [K in Name]?: string } = {}
  for (const name of names) {
    const value = memberValue(bytes, found?.[name], MAX_FIELD_BYTES)
    if (typeof value === "string" || typeof value === "number") fields[name] = String(value)
  }
  return fields
}
