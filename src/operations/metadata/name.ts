import { CommandError } from "../../core/errors.ts"
import { parseMetadataName } from "../../core/metadata-name.ts"
import type { NameChoice } from "../../database/metadata.ts"

interface NameInput {
  /** `User-Id`, in any case, with or without the prefix `X-Majordomo-` of the header. */
  readonly name: string
  /** The API key, by its id or its name; undefined: all keys. */
  readonly key?: string | undefined
}

/**
 * Returns a metadata name in the form in which the gateway stores it.
 *
 * @throws CommandError if no header can have this name
 */
export function parseName({ name, key }: NameInput): NameChoice {
  const stored = parseMetadataName(name)
  if (stored !== undefined) return { name: stored, key }
  const shown = JSON.stringify(name.slice(0, 60))
  throw new CommandError(`a metadata name is the rest of a header's name, such as User-Id, got ${shown}`)
}
