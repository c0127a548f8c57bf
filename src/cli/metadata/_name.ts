import type { ArgsDef } from "citty"
import { CommandError } from "../../core/errors.ts"
import type { NameChoice } from "../../database/metadata.ts"
import { toTrainCase } from "../../reports/index.ts"

export const NAME_OPTIONS = {
  name: {
    type: "positional",
    required: true,
    description: "the metadata name: User-Id for the header X-Majordomo-User-Id",
  },
  key: {
    type: "string",
    valueHint: "KEY",
    description: "for this API key alone, by its id or its name (default: for all)",
  },
} as const satisfies ArgsDef

/** The name as the gateway stores it, however it was typed, the header's prefix included. */
export function toNameChoice({ name, key }: { readonly name: string; readonly key?: string | undefined }): NameChoice {
  const bare = name.replace(/^x-majordomo-/i, "")
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(bare))
    throw new CommandError(
      `a metadata name is the rest of a header's name, such as User-Id, got ${JSON.stringify(name.slice(0, 60))}`,
    )
  return { name: toTrainCase(bare), key }
}
