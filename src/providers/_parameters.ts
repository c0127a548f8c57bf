import type { RequestParameters } from "../core/request-parameters.ts"
import { findMembers, type Member, MemberNames, memberValue, type SearchedObject } from "../kit/json/members.ts"
import type { PreparedRequest } from "./_dialect.ts"
import type { ProviderRequest } from "./_provider-request.ts"
import { bytesOf } from "./_values.ts"

/** Adds what a member says to the parameters. A value of another type says nothing. */
type Read = (parameters: RequestParameters, bytes: Buffer, member: Member) => void
type NumberName = "temperature" | "topP" | "topK" | "frequencyPenalty" | "presencePenalty"

/** The most stop sequences, and characters of each, that are read: clients choose them. */
const MAX_STOPS = 16
const MAX_STOP_LENGTH = 64

/**
 * How the members of bodies are read. The names in the APIs of OpenAI, Anthropic, Gemini, Bedrock and Mistral differ so much
 * that the APIs share them. Source: the SDKs of these providers, November 2026.
 */
const READERS: ReadonlyMap<string, Read> = new Map([
  ...toEntries(toNumberReader("temperature"), "temperature"),
  ...toEntries(toNumberReader("topP"), "top_p", "topP"),
  ...toEntries(toNumberReader("topK"), "top_k", "topK"),
  ...toEntries(toNumberReader("frequencyPenalty"), "frequency_penalty", "frequencyPenalty"),
  ...toEntries(toNumberReader("presencePenalty"), "presence_penalty", "presencePenalty"),
  ...toEntries(toWholeReader("maxTokens"), "max_tokens", "max_completion_tokens", "max_output_tokens", "max_gen_len"),
  ...toEntries(toWholeReader("maxTokens"), "maxOutputTokens", "maxTokens", "maxTokenCount"),
  ...toEntries(toWholeReader("seed"), "seed", "random_seed"),
  ...toEntries(toWholeReader("choices"), "n", "candidateCount", "candidate_count"),
  ...toEntries(readStops, "stop", "stop_sequences", "stopSequences"),
  ...toEntries(readFormat, "response_format", "text", "output_config", "output_format"),
  ...toEntries(readMimeType, "responseMimeType", "response_mime_type"),
  ...toEntries(readModality, "modalities", "responseModalities", "response_modalities"),
  ...toEntries(readConfig, "generationConfig", "generation_config", "inferenceConfig"),
])

function toEntries(read: Read, ...names: readonly string[]) {
  return names.map((name) => [name, read] as const)
}

/** The members that `readParameters` reads. */
export const PARAMETER_NAMES: readonly string[] = [...READERS.keys()]
const NAMES = new MemberNames(PARAMETER_NAMES)
const FORMAT_NAMES = new MemberNames(["type", "format"])

/**
 * Reads the parameters that a JSON body states, without parsing all of it. Other bodies have none.
 * @param prepared with the members of `PARAMETER_NAMES` if the dialect has searched the body; else it is searched now
 */
export function readParameters(
  { body }: Pick<ProviderRequest, "body">,
  { json }: Pick<PreparedRequest, "json">,
): RequestParameters {
  const searched = json ?? findParameters(bytesOf(body))
  return searched === undefined ? {} : readMembers(searched)
}

function findParameters(bytes: Buffer): SearchedObject | undefined {
  const members = findMembers(bytes, NAMES)
  return members && { bytes, members }
}

function readMembers({ bytes, members: { found } }: SearchedObject): RequestParameters {
  const parameters: RequestParameters = {}
  for (const name in found) READERS.get(name)?.(parameters, bytes, found[name]!)
  return parameters
}

function toNumberReader(parameter: NumberName): Read {
  return (parameters, bytes, member) => {
    const value = memberValue(bytes, member)
    if (typeof value === "number") parameters[parameter] = value
  }
}

function toWholeReader(parameter: "maxTokens" | "seed" | "choices"): Read {
  return (parameters, bytes, member) => {
    const value = memberValue(bytes, member)
    if (Number.isSafeInteger(value)) parameters[parameter] = value as number
  }
}

/** Reads the object in which Gemini and Bedrock have the parameters. The ones that it has count. */
function readConfig(parameters: RequestParameters, bytes: Buffer, { start, end }: Member): void {
  const inside = findParameters(bytes.subarray(start, end))
  if (inside === undefined) return
  const found = Object.entries(inside.members.found).filter(([name]) => READERS.get(name) !== readConfig)
  Object.assign(
    parameters,
    readMembers({ ...inside, members: { ...inside.members, found: Object.fromEntries(found) } }),
  )
}

function readStops(parameters: RequestParameters, bytes: Buffer, member: Member): void {
  const value = memberValue(bytes, member)
  const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === "string")
  if (texts.length === 0) return
  parameters.stopSequences = texts.slice(0, MAX_STOPS).map((text) => text.slice(0, MAX_STOP_LENGTH))
}

/** Reads the type of a format: `{"type":"json_schema",…}`, or the same as the member `format`. A schema may be long. */
function readFormat(parameters: RequestParameters, bytes: Buffer, { start, end }: Member): void {
  const inside = bytes.subarray(start, end)
  const found = findMembers(inside, FORMAT_NAMES)?.found
  if (found === undefined) return
  const type = memberValue(inside, found["type"])
  if (type === "text") parameters.outputType = "text"
  else if (typeof type === "string" && type.startsWith("json")) parameters.outputType = "json"
  else if (type === undefined && found["format"]) readFormat(parameters, inside, found["format"])
}

function readMimeType(parameters: RequestParameters, bytes: Buffer, member: Member): void {
  const value = memberValue(bytes, member)
  if (value === "text/plain") parameters.outputType = "text"
  else if (value === "application/json") parameters.outputType = "json"
}

const MODALITIES = new Map([
  ["image", "image"],
  ["audio", "speech"],
  ["text", "text"],
] as const)

/** Reads what kinds of output a request asks for. If it asks for text and another kind, the other one counts. */
function readModality(parameters: RequestParameters, bytes: Buffer, member: Member): void {
  const value = memberValue(bytes, member)
  if (!Array.isArray(value)) return
  const asked = new Set(value.map((modality) => String(modality).toLowerCase()))
  for (const [modality, type] of MODALITIES) {
    if (!asked.has(modality)) continue
    parameters.outputType = type
    return
  }
}
