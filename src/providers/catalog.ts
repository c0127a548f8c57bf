import type { Billing } from "../core/cost.ts"
import { createTable } from "../core/table.ts"
import { CLOUDS } from "./_clouds.ts"
import type { Dialect } from "./_dialect.ts"
import * as table from "./index.ts"

/** The name of a dialect: the API that a provider offers. */
export type Format = keyof typeof table

/** A provider as it is configured. */
export interface Provider {
  readonly name: string
  readonly format: Format
  /** `https://host[:port][/prefix]`, without a slash at the end. */
  readonly baseUrl: string
  /** The region of a cloud; undefined: it is not set. */
  readonly region?: string | undefined
  /** The base URLs of the regions between which the location in a path decides; undefined: all paths have one address. */
  readonly regions?: Readonly<Record<string, string>> | undefined
  /** Who pays for its tokens, whatever the credential is; undefined: the login of a subscription is recognized. */
  readonly billing?: "api" | Billing | undefined
  /** The models behind names that are not a model's, such as deployments. The names are in lower case. */
  readonly models?: ReadonlyMap<string, string> | undefined
}

/** The dialect in which requests are answered of which nothing is known: most clients understand its errors. */
export const FALLBACK_FORMAT: Format = "openai"

const TABLE: Readonly<Record<Format, Dialect>> = { ...table }
const OTHERS = Object.keys(TABLE).filter((name) => name !== FALLBACK_FORMAT)
const FORMATS = [FALLBACK_FORMAT, ...OTHERS.sort()] as readonly Format[]

/**
 * The dialects by name: the fallback, then the others in the order of the alphabet. Where two claim the same request by
 * the same means, the one that comes first here gets it.
 */
export const DIALECTS = Object.fromEntries(FORMATS.map((name) => [name, TABLE[name]])) as {
  readonly [K in Format]: Dialect
}

/** Where Codex sends its requests with a ChatGPT login. It has the Responses API, without `/v1`. */
const CHATGPT: Provider = {
  name: "chatgpt",
  format: "openai",
  baseUrl: "https://chatgpt.com/backend-api/codex",
  billing: "subscription",
}

/** The providers that need no configuration, by name. */
export const BUILT_IN_PROVIDERS: Readonly<Record<string, Provider>> = createTable({
  ...Object.fromEntries(FORMATS.map((name) => [name, { name, format: name, baseUrl: DIALECTS[name].baseUrl }])),
  chatgpt: CHATGPT,
})

/** The facts about providers that the settings need. */
export const PROVIDER_CATALOG = {
  formats: FORMATS as readonly string[],
  builtIn: BUILT_IN_PROVIDERS,
  clouds: CLOUDS,
  /** Names such as `gemini-openai`, which select a surface of a built-in provider. */
  reservedNames: FORMATS.flatMap((name) =>
    (DIALECTS[name].routes.surfaces ?? []).map(({ format }) => `${name}-${format}`),
  ),
}

/** Returns the name as that of a dialect; undefined when there is none of this name. */
export function findFormat(name: string | undefined): Format | undefined {
  return FORMATS.find((format) => format === name)
}
