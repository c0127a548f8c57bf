import { createTable } from "../../core/table.ts"
import { isRecord } from "../../kit/json/is-record.ts"
import { guessProvider, toProviderName } from "../providers.ts"

/** One entry of `model_list`. */
export interface Deployment {
  /** The name by which clients ask for it. */
  readonly alias: string
  readonly provider: string
  readonly model: string
  readonly params: Readonly<Record<string, unknown>>
  readonly info: Readonly<Record<string, unknown>>
}

/** Reads one entry of `model_list`; undefined if it names no model. */
export function readDeployment(entry: unknown): Deployment | undefined {
  if (!isRecord(entry)) return undefined
  const params = isRecord(entry["litellm_params"]) ? entry["litellm_params"] : {}
  const info = isRecord(entry["model_info"]) ? entry["model_info"] : {}
  const whole = params["model"]
  if (typeof whole !== "string" || whole === "") return undefined
  const slash = whole.indexOf("/")
  const given = params["custom_llm_provider"]
  const prefix = typeof given === "string" ? given : slash < 0 ? undefined : whole.slice(0, slash)
  const model = slash >= 0 && whole.slice(0, slash) === prefix ? whole.slice(slash + 1) : whole
  const provider = toProviderName(prefix ?? guessProvider(model) ?? "openai")
  return {
    alias: String(entry["model_name"] ?? whole),
    provider,
    model: model.replace(/^converse\//, ""),
    params,
    info,
  }
}

/** The providers that need no settings. */
const BUILT_IN = new Set(["openai", "anthropic", "gemini"])

/** Where LiteLLM sends requests to providers that it knows by name. */
const ADDRESSES = createTable({
  cerebras: "https://api.cerebras.ai",
  deepinfra: "https://api.deepinfra.com/v1/openai",
  deepseek: "https://api.deepseek.com",
  fireworks: "https://api.fireworks.ai/inference",
  groq: "https://api.groq.com/openai",
  mistral: "https://api.mistral.ai",
  moonshot: "https://api.moonshot.ai",
  nebius: "https://api.studio.nebius.com",
  novita: "https://api.novita.ai/openai",
  openrouter: "https://openrouter.ai/api",
  perplexity: "https://api.perplexity.ai",
  together: "https://api.together.xyz",
  xai: "https://api.x.ai",
})

/** The settings of a provider, by their names in majordomo.yaml. */
type ProviderEntry = Record<string, string | Record<string, string>>

/** Providers as they are found, by the names that they get. */
export interface FoundProviders {
  readonly entries: Map<string, ProviderEntry>
  readonly notes: Set<string>
}

/** Adds the settings that a deployment needs, and returns the name of its provider. */
export function addProvider({ provider, model, params, info }: Deployment, found: FoundProviders): string {
  const base = params["api_base"] ?? params["base_url"]
  const address = typeof base === "string" ? base : undefined
  if (provider === "azure") return addAzure(address, model, info, found)
  if (provider === "bedrock") return addRegion("bedrock", params["aws_region_name"], "AWS_REGION", found)
  if (provider === "vertex") return addRegion("vertex", params["vertex_location"], "VERTEXAI_LOCATION", found)
  if (address === undefined && BUILT_IN.has(provider)) return provider
  const url = address === undefined ? ADDRESSES[provider] : toAddress(address)
  const name =
    url !== undefined && BUILT_IN.has(provider) && !isOwnAddress(url, provider) ? nameOf(url) : toName(provider)
  if (BUILT_IN.has(name)) return name
  if (url === undefined) {
    found.notes.add(explainAddress(name, address))
    return addEntry(name, { format: "openai" }, found)
  }
  return addEntry(name, { base_url: url, format: BUILT_IN.has(provider) ? provider : "openai" }, found)
}

function addAzure(
  address: string | undefined,
  deployment: string,
  info: Readonly<Record<string, unknown>>,
  { entries, notes }: FoundProviders,
): string {
  const entry = entries.get("azure") ?? {}
  entries.set("azure", entry)
  const url = address === undefined ? undefined : toAddress(address)
  if (url === undefined) notes.add(explainAddress("azure", address))
  else if (entry["base_url"] === undefined) entry["base_url"] = url
  else if (entry["base_url"] !== url) {
    notes.add(
      `${url} is a second resource of Azure: give it a provider of its own, with format: openai and like: azure`,
    )
  }
  const base = info["base_model"]
  if (typeof base === "string") {
    const deployments = (entry["deployments"] ?? {}) as Record<string, string>
    entry["deployments"] = { ...deployments, [deployment]: base.replace(/^azure\//, "") }
  }
  return "azure"
}

function addRegion(name: string, given: unknown, variable: string, { entries, notes }: FoundProviders): string {
  const region = typeof given === "string" && !given.startsWith(VARIABLE) ? given : undefined
  if (region === undefined) {
    notes.add(`providers.${name}.region is not set: it is the value of ${toVariableName(given) ?? variable}`)
    return name
  }
  const entry = entries.get(name)
  if (entry === undefined) entries.set(name, { region })
  else if (entry["region"] !== region) {
    notes.add(`${name} is used in ${region} too: see docs/clouds.md, "Several regions"`)
  }
  return name
}

function addEntry(name: string, entry: ProviderEntry, { entries }: FoundProviders): string {
  for (let n = 1; ; n++) {
    const each = n === 1 ? name : `${name}-${n}`
    const known = entries.get(each)
    if (known === undefined) entries.set(each, entry)
    if (known === undefined || known["base_url"] === entry["base_url"]) return each
  }
}

const VARIABLE = "os.environ/"

/** Returns the name of the environment variable to which a value of LiteLLM refers; undefined if it is no such value. */
export function toVariableName(value: unknown): string | undefined {
  return typeof value === "string" && value.startsWith(VARIABLE) ? value.slice(VARIABLE.length) : undefined
}

function explainAddress(name: string, given: string | undefined): string {
  const variable = toVariableName(given)
  const setting = `MAJORDOMO_PROVIDERS_${name.toUpperCase().replaceAll("-", "_")}_BASE_URL`
  if (variable !== undefined) return `providers.${name}.base_url is the value of ${variable}: set ${setting} to it`
  return `providers.${name} needs a base_url: LiteLLM knows its address, or takes it from the environment`
}

/** Returns an address without what could be secret in it; undefined if it is none. */
function toAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { protocol, host, pathname } = new URL(text)
  if (protocol !== "http:" && protocol !== "https:") return undefined
  return `${protocol}//${host}${pathname.replace(/\/+$/, "").replace(/\/v1(?:\/chat\/completions)?$/, "")}`
}

function isOwnAddress(url: string, provider: string): boolean {
  const { hostname } = new URL(url)
  return hostname === `api.${provider}.com` || hostname === "generativelanguage.googleapis.com"
}

/** Names a provider by its host: `vllm` for `http://vllm.internal:8000`. */
function nameOf(url: string): string {
  const labels = new URL(url).hostname.split(".")
  const label = labels.find((each) => !["api", "www", "llm"].includes(each)) ?? "local"
  return toName(/^\d+$/.test(label) ? "local" : label)
}

function toName(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
  return name === "" ? "local" : name.slice(0, 50)
}
