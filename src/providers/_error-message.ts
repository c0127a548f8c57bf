import { redactSecrets } from "../core/secrets.ts"
import { truncateText } from "../core/text.ts"
import { bytesOf, listOf, objectOf, textOf } from "./_values.ts"

const MAX_BODY_BYTES = 64 * 1024
/**
 * A row keeps 500 characters. They are cut off after the credentials of the request are redacted, which needs each of them
 * as a whole: the longest one is the private key of a service account, with 3,300 characters.
 */
const MAX_LENGTH = 8 * 1024
/** An error in a stream is the data of its first event. */
const EVENT_START = /^(?:event:[^\n]*\n)?data:/

/**
 * Returns the message of an error body in the shapes that most APIs use: `error.message`, `error` as a text, `message`
 * or `detail`; Gemini's streams put the body in a list. What looks like a credential is redacted. undefined: the body has no
 * such shape.
 */
export function readErrorMessage(body: Uint8Array): string | undefined {
  if (body.length === 0 || body.length > MAX_BODY_BYTES) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(bytesOf(body).toString("utf8").replace(EVENT_START, ""))
  } catch {
    return undefined
  }
  const object = objectOf(listOf(parsed)[0] ?? parsed)
  if (!object) return undefined
  const error = objectOf(object["error"])
  const message =
    messageOf(error?.["message"]) ??
    messageOf(object["error"]) ??
    messageOf(object["message"]) ??
    messageOf(object["Message"]) ??
    messageOf(object["detail"])
  return message === undefined ? textOf(error?.["code"]) : redactSecrets(message)
}

function messageOf(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? truncateText(value, MAX_LENGTH) : undefined
}
