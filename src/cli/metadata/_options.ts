import type { ArgsDef } from "citty"

export const NAME_OPTIONS = {
  name: {
    type: "positional",
    required: true,
    description: "the metadata name: User-Id for the header X-Majordomo-User-Id",
  },
  key: {
    type: "string",
    valueHint: "KEY",
    description: "only for this API key, by its id or its name (default: for all)",
  },
} as const satisfies ArgsDef
