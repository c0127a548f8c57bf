import { CommandError } from "../../core/errors.ts"

/**
 * Returns the id of a request in lower case, as PostgreSQL takes it.
 *
 * @throws CommandError if it has not the form of an id; the message never shows an API key that was pasted by mistake
 */
export function parseRequestId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  const shown = text.startsWith("mdm_sk_") ? "an API key" : JSON.stringify(text.slice(0, 60))
  throw new CommandError(
    `the id of a request looks like 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d, got ${shown}: see usage requests --json`,
  )
}

/** The beginning of an id that says when the request was made, to the millisecond. */
const MIN_LENGTH = 13

/**
 * Returns the id of a request, or its beginning of 13 characters or more, in lower case.
 *
 * @throws CommandError if it has not the form of an id
 */
export function parseRequestIdStart(text: string): string {
  const isStart = /^[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?$/i.test(text)
  return isStart && text.length >= MIN_LENGTH && text.length < 36 ? text.toLowerCase() : parseRequestId(text)
}
