import type { Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import { countOf, firstCount, isImpossible, isNoCount, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"

const COUNTERS = [
  "promptTokenCount",
  "toolUsePromptTokenCount",
  "cachedContentTokenCount",
  "candidatesTokenCount",
  "responseTokenCount",
  "thoughtsTokenCount",
  "totalTokenCount",
] as const

interface ReadUsage {
  readonly usage: Usage
  /** `promptTokenCount`, because tool-use prompts do not count for the long-context threshold. */
  readonly contextTokens: number
  readonly inconsistent: string | undefined
}

/** Returns true if the object counts tokens. Vertex begins its streams with chunks that state only `trafficType`. */
export function reportsTokens(raw: JsonObject): boolean {
  return COUNTERS.some((name) => countOf(raw[name]) !== undefined)
}

/** Returns true if the object counts at least one token. */
export function countsTokens(raw: JsonObject): boolean {
  return COUNTERS.some((name) => (countOf(raw[name]) ?? 0) > 0)
}

/** Returns the tier that served the request, in lower case; Vertex calls it the traffic type. */
export function tierOf(usage: JsonObject): string | undefined {
  const { serviceTier, trafficType } = usage
  if (typeof trafficType === "number") return TRAFFIC_TYPES[trafficType] ?? `traffic type ${trafficType}`
  return textOf(serviceTier)?.toLowerCase() ?? textOf(trafficType)?.toLowerCase()
}

/** Vertex's enumerations, whose numbers an answer has if the client asked for them (`$alt=json;enum-encoding=int`). */
const TRAFFIC_TYPES: readonly string[] = ["traffic_type_unspecified", "on_demand", "provisioned_throughput"]
const MODALITIES = {
  image: new Set<unknown>(["IMAGE", 2]),
  video: new Set<unknown>(["VIDEO", 3]),
  audio: new Set<unknown>(["AUDIO", 4]),
}

/**
 * Reads Gemini's `usageMetadata`. The prompt includes what came from the cache. Tool-use prompts, candidates and
 * thoughts stand beside it, and the total is the sum of the four. Details by modality may be missing or list only some:
 * the remainder is text. Video and documents are billed as text.
 * @param options.images generation bills an image like text; `pictures`: images have a rate of their own, as for
 * embeddings; `all`: so have the pictures of films, as in the Live API
 */
export function readUsage(raw: JsonObject, options: { readonly images?: "pictures" | "all" }): ReadUsage {
  const prompt = countOf(raw["promptTokenCount"]) ?? 0
  const tools = countOf(raw["toolUsePromptTokenCount"]) ?? 0
  const cached = countOf(raw["cachedContentTokenCount"]) ?? 0
  const thoughts = countOf(raw["thoughtsTokenCount"]) ?? 0
  const candidates = candidatesOf(raw)
  const isFilm = options.images === "all"
  const splits = options.images !== undefined
  const given = modalities(raw["promptTokensDetails"] ?? raw["promptTokenDetails"], isFilm)
  const read = modalities(raw["cacheTokensDetails"], isFilm)
  const used = modalities(raw["toolUsePromptTokensDetails"])
  const produced = modalities(raw["candidatesTokensDetails"] ?? raw["responseTokensDetails"])

  const problems: string[] = []
  for (const name of COUNTERS) if (isImpossible(raw[name])) problems.push(`${name} is negative or not finite`)
  for (const name of COUNTERS) if (isNoCount(raw[name])) problems.push(`${name} is not a whole number`)
  const compare = (share: number, total: number, what: string) => {
    if (share > total) problems.push(`${what} as reported`)
  }
  compare(cached, prompt, "cachedContentTokenCount > promptTokenCount")
  compare(given.audio + given.image, prompt, "promptTokensDetails > promptTokenCount")
  compare(read.audio + read.image, cached, "cacheTokensDetails > cachedContentTokenCount")
  compare(used.audio + used.image, tools, "toolUsePromptTokensDetails > toolUsePromptTokenCount")
  compare(produced.audio + produced.image, candidates, "candidatesTokensDetails > candidatesTokenCount")
  return {
    usage: toBuckets({
      input: prompt + tools,
      cached: Math.min(cached, prompt),
      inputAudio: given.audio + used.audio,
      cachedAudio: read.audio,
      inputImage: splits ? given.image : 0,
      cachedImage: splits ? read.image : 0,
      output: candidates + thoughts,
      reasoning: thoughts,
      outputAudio: produced.audio,
      outputImage: produced.image,
    }),
    contextTokens: prompt,
    inconsistent: problems.length > 0 ? problems.join("; ") : undefined,
  }
}

/** Returns the tokens of the candidates. Where only the total is stated, they are what is left of it. */
export function candidatesOf(raw: JsonObject): number {
  const stated = firstCount(raw["candidatesTokenCount"], raw["responseTokenCount"])
  if (stated !== undefined) return stated
  const others = ["promptTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount"] as const
  return others.reduce(
    (left, name) => Math.max(0, left - (countOf(raw[name]) ?? 0)),
    countOf(raw["totalTokenCount"]) ?? 0,
  )
}

function modalities(details: unknown, isFilm = false): { audio: number; image: number } {
  let audio = 0
  let image = 0
  for (const element of listOf(details)) {
    const detail = objectOf(element)
    const count = countOf(detail?.["tokenCount"]) ?? 0
    if (MODALITIES.audio.has(detail?.["modality"])) audio += count
    else if (MODALITIES.image.has(detail?.["modality"])) image += count
    else if (isFilm && MODALITIES.video.has(detail?.["modality"])) image += count
  }
  return { audio, image }
}
