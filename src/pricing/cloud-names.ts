import { createTable } from "../core/table.ts"

/**
 * Further spellings of the names of models at clouds, by the provider of the catalog. Names are in lower case.
 *
 * Worked examples: at `aws`, `eu.anthropic.claude-3-haiku-20240307-v1:0` is `anthropic.claude-3-haiku-20240307-v1:0`, whose
 * price the catalog has for all regions. At `azure`, `gpt-35-turbo` is OpenAI's `gpt-3.5-turbo`. At `google`,
 * `claude-opus-4-6@default` is `claude-opus-4-6`.
 */
export const CLOUD_SPELLINGS: Readonly<Record<string, (name: string) => readonly string[]>> = createTable({
  aws: spellingsOfBedrock,
  azure: (name) => (name.startsWith("gpt-35-") ? [name.replace("gpt-35-", "gpt-3.5-")] : []),
  google: (name) => (name.endsWith("@default") ? [name.slice(0, -"@default".length)] : []),
})

/** The ARNs that end in the id of a model. An application inference profile does not say its model. */
const ARN_OF_MODEL = /^arn:[^:]*:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)\//
/** The geography of an inference profile. `global.` stays: it has prices of its own, and no model has others. */
const GEOGRAPHY = /^(?:us|us-gov|eu|apac|jp|au|ca|in|sa|me|af|il|mx)\.(?=[a-z0-9-]+\.)/
/** The size of the context in an id, such as `:48k`, which has no price of its own. */
const CONTEXT = /:\d+k$/

function spellingsOfBedrock(name: string): readonly string[] {
  const id = toModelId(name)
  return [id, id.replace(GEOGRAPHY, "")]
}

/** Returns the geography of an inference profile, or else the region in an address of Bedrock; undefined: neither is known. */
export function findBedrockRegion(name: string, baseUrl: string | undefined): string | undefined {
  const geography = GEOGRAPHY.exec(toModelId(name.toLowerCase()))?.[0].slice(0, -1)
  return geography ?? /\/\/(?:[^/]*\.)?bedrock-[a-z-]+\.([a-z0-9-]+)\./.exec(baseUrl ?? "")?.[1]
}

function toModelId(name: string): string {
  const decoded = name.includes("%") ? name.replace(/%3a/g, ":").replace(/%2f/g, "/") : name
  return decoded.replace(ARN_OF_MODEL, "").replace(CONTEXT, "")
}
