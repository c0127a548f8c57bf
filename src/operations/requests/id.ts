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
