import type { ImportSource } from "../request.ts"
import { go } from "./go.ts"
import { helicone } from "./helicone.ts"
import { langfuse } from "./langfuse.ts"
import { litellm } from "./litellm.ts"
import { openrouter } from "./openrouter.ts"

/** The products whose records can be imported, by the names of their commands. */
export const IMPORT_SOURCES = { litellm, helicone, langfuse, openrouter, go } as const satisfies Record<
  string,
  ImportSource
>

export type ImportSourceName = keyof typeof IMPORT_SOURCES

export const IMPORT_SOURCE_NAMES = Object.keys(IMPORT_SOURCES) as readonly ImportSourceName[]
