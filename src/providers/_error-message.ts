import { bytesOf, listOf, objectOf, textOf } from "./_values.ts"

const MAX_BODY_BYTES = 64 * 1024
const MAX_CHARACTERS = 500

/**
 * What looks like a credential: the known beginnings, and whatever follows "key … :" (OpenAI answers a wrong key with
 * part of it).
 */
const SECRETS = [
  /\b(?:sk|pk|rk|gsk|xai|pplx|hf|or|mdm_sk|AIza|ya29|eyJ)[-_.][-_.*A-Za-z0-9]{6,}/g,
  /\b(?:AIza|ya29\.|eyJ)[-_.*A-Za-z0-9]{10,}/g,
  /\bbearer\s+[^\s"',]+/gi,
]
const AFTER_KEY = /(\b(?:api[ _-]?)?key\b[^:"'\n]{0,40}[:=]\s*["']?)[^\s"',]{6,}/gi

/**
 * The message of an error body as the three APIs and their imitators write it: `error.message`, `error` as a text,
 * `message`, `detail`; Gemini's streams put it in a list. undefined: not such a body.
 */
export function readErrorMessage(body: Uint8Array): string | undefined {
  if (body.length === 0 || body.length > MAX_BODY_BYTES) return undefined
  let parsed: unknown
  try {
    const text = bytesOf(body).toString("utf8")
    parsed = JSON.parse(/^(?:event:[^\n]*\n)?data:/.test(text) ? text.replace(/^(?:event:[^\n]*\n)?data:/, "") : text)
  } catch {
    return undefined
  }
  const object = objectOf(listOf(parsed)[0] ?? parsed)
  if (!object) return undefined
  const error = objectOf(object["error"])
  const message =
    fullText(error?.["message"]) ??
    fullText(object["error"]) ??
    fullText(object["message"]) ??
    fullText(object["detail"])
  return message === undefined ? textOf(error?.["code"]) : cut(blot(message))
}

function fullText(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.slice(0, 4 * MAX_CHARACTERS) : undefined
}

function blot(text: string): string {
  let clean = text.replace(AFTER_KEY, "$1***")
  for (const secret of SECRETS) clean = clean.replace(secret, "***")
  return clean
}

/** Cut on a character, not inside a surrogate pair. */
function cut(text: string): string {
  if (text.length <= MAX_CHARACTERS) return text
  const end = /[\uD800-\uDBFF]/.test(text[MAX_CHARACTERS - 1]!) ? MAX_CHARACTERS - 1 : MAX_CHARACTERS
  return text.slice(0, end)
}
