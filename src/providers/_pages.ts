import { GatewayError } from "../core/errors.ts"

/** The most that one page of a list has, in Anthropic's API and in Gemini's. */
const MAX_PAGE = 1000

/**
 * Returns the number of items that a parameter of a request for a list asks for.
 * @param text undefined: it is missing, so that the page has as many as it can
 * @throws GatewayError `bad_request`
 */
export function parsePageSize(name: string, text: string | null): number {
  if (text === null) return MAX_PAGE
  const size = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (size > 0) return Math.min(size, MAX_PAGE)
  throw new GatewayError("bad_request", `The parameter ${name} must be a whole number from 1 to ${MAX_PAGE}.`)
}

/** Returns the ids after one, in the order of their code units. The id itself may no longer be among them. */
export function idsAfter(ids: readonly string[], id: string): readonly string[] {
  const at = ids.findIndex((each) => each > id)
  return at === -1 ? [] : ids.slice(at)
}
