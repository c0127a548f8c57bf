import type { z } from "zod"
import { InputError } from "../operations/input-error.ts"
import type { AnyRoute } from "./_route.ts"

/** A command from afar recognizes an older gateway by it. */
export const NO_PARAMETER = "there is no such parameter"

/**
 * Checks an input by the schema of a route, and parses its text.
 *
 * @throws InputError for the first value that is not valid
 */
export function parseInput(route: AnyRoute, given: unknown, now: number): unknown {
  const { success, data, error } = (route.input as z.ZodObject).safeParse(given)
  if (!success) throw toInputError(error.issues[0]!)
  return route.parse(data, now)
}

function toInputError({ path, message, ...issue }: z.core.$ZodIssue): InputError {
  const unknown = issue.code === "unrecognized_keys" ? (issue as z.core.$ZodIssueUnrecognizedKeys).keys[0]! : undefined
  if (unknown !== undefined) return new InputError(unknown.slice(0, 60), NO_PARAMETER)
  return new InputError(String(path[0] ?? "body"), message.charAt(0).toLowerCase() + message.slice(1))
}
