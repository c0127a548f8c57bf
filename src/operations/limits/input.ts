import { type LimitDefinition, LimitFieldError, parseLimit } from "../../config/limits.ts"
import { findNearest } from "../../config/nearest.ts"
import type { Settings } from "../../config/settings.ts"
import type { ApiKey } from "../../database/key-rows.ts"
import { InputError } from "../input-error.ts"
import { matchNamed } from "../named.ts"

/** The fields of a limit, as JSON has them. Values are checked by `parseLimitInput`. */
export type LimitInput = Readonly<Record<string, unknown>>

/**
 * Parses the fields of a limit.
 *
 * @throws InputError for the first one that is not valid
 */
export function parseLimitInput(given: LimitInput): LimitDefinition {
  try {
    return parseLimit(given)
  } catch (error) {
    if (error instanceof LimitFieldError) throw new InputError(error.field, error.problem)
    throw error
  }
}

/**
 * Returns a limit whose `key` is the id of an API key.
 *
 * @throws InputError if there is no such key, several with the name, or no such provider
 */
export function resolveLimit(
  limit: LimitDefinition,
  { keys, settings }: { readonly keys: readonly ApiKey[]; readonly settings: Pick<Settings, "providers"> },
): LimitDefinition {
  if (limit.provider !== undefined) checkProvider(limit.provider, settings)
  return limit.key === undefined ? limit : { ...limit, key: resolveKey(limit.key, keys).id }
}

/**
 * Returns the API key with an id, the beginning of an id, or a name. Of several with a name, it is the one that is active.
 *
 * @throws InputError if there is none, or more than one
 */
export function resolveKey(nameOrId: string, keys: readonly ApiKey[]): ApiKey {
  const found = matchNamed(nameOrId, keys)
  const shown = JSON.stringify(nameOrId.slice(0, 60))
  if (found.length > 1) {
    throw new InputError(
      "key",
      `${found.length} API keys are meant by ${shown}: give the id of one, as keys list shows it`,
    )
  }
  if (found[0] !== undefined) return found[0]
  const meant = findNearest(
    nameOrId,
    keys.map(({ name }) => name),
  )
  const hint = meant === undefined ? "see majordomo-gateway keys list" : `did you mean ${JSON.stringify(meant)}?`
  throw new InputError("key", `there is no API key ${shown}; ${hint}`)
}

function checkProvider(provider: string, { providers }: Pick<Settings, "providers">): void {
  if (Object.hasOwn(providers, provider)) return
  const known = Object.keys(providers)
  const meant = findNearest(provider, known)
  throw new InputError(
    "provider",
    `expected one of ${known.join(", ")}, got ${JSON.stringify(provider)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
  )
}
