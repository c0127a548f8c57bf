import { discounts } from "./prices.ts"
import type { ProviderSettings, Setting } from "./settings.ts"
import {
  nameTable,
  oneOf,
  orNothing,
  regionName,
  regionNames,
  text,
  type ValueParser,
  webAddress,
  word,
} from "./value-parsers.ts"

/**
 * The facts about providers that the settings need. The caller of `loadSettings` passes them in, because `config` does
 * not import `providers`.
 */
export interface ProviderCatalog {
  /** The names of the dialects that a provider can use. */
  readonly formats: readonly string[]
  /** The providers that need no configuration, by name. */
  readonly builtIn: Readonly<Record<string, Pick<ProviderSettings, "baseUrl" | "format" | "billing">>>
  /** The clouds, which are providers as soon as one of their settings says where they are. */
  readonly clouds: Readonly<Record<string, CloudFacts>>
  /** Names that select a surface of a built-in provider, so that no configured provider can have them. */
  readonly reservedNames: readonly string[]
}

interface CloudFacts {
  readonly title: string
  readonly format: string
  readonly setting: { readonly key: "base_url" | "region"; readonly example: string }
  readonly addressIn?: (region: string) => string
  readonly regionIn?: (path: string) => string | undefined
}

/** The first segments of the gateway's own paths, which no provider can have as its prefix. */
const OWN_PATHS = ["api", "dashboard", "health", "metrics", "readyz"]

/** The settings of each provider, under `providers.NAME`. */
export const PROVIDER_SETTINGS = {
  base_url: row(orNothing(webAddress), "base URL of its API, with or without `/v1` at its end"),
  format: row(text, "API that it implements"),
  like: row(
    word,
    "provider whose prices hold, such as `openai`, `azure` or `bedrock`, if the address does not say it; a built-in one also gives its `format`",
  ),
  region: row(regionName, "region of a cloud, such as `eu-central-1`: its address follows from it"),
  regions: row(
    regionNames,
    "all regions of Vertex AI that may be used, such as `global, us-east5`: the location in each path decides; `region`, else the first of them, is for paths without one",
  ),
  models: row(
    nameTable,
    "the model behind each name that is not a model's, such as an application inference profile of Bedrock: `{ NAME: MODEL }`",
  ),
  deployments: row(nameTable, "the same for the deployments of Azure: `{ DEPLOYMENT: MODEL }`"),
  prices: row(oneOf("free"), "`free` if requests to it cost nothing; for prices see `pricing.overrides`"),
  discount: row(
    discounts,
    "percentage that it takes off its list prices, such as `10%`; your own prices stay as they are; built-in providers have this setting too",
  ),
  billing: row(
    oneOf("api", "subscription"),
    "`subscription` if a flat fee pays for all its tokens, so that their price is not added to the bill; `api` if each token is billed, even with the login of a subscription; default: the credential decides; built-in providers have this setting too",
  ),
} as const

/** Returns the same settings with the formats of the catalog. */
export function toProviderSettings({ formats }: ProviderCatalog): Readonly<Record<string, Setting<unknown>>> {
  const names = formats.map((name) => `\`${name}\``)
  const listed = `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`
  return { ...PROVIDER_SETTINGS, format: row(oneOf(...formats), `${PROVIDER_SETTINGS.format.doc}: ${listed}`) }
}

/** Returns what is wrong with the name of a provider, or undefined. */
export function findNameProblem(name: string, { reservedNames }: ProviderCatalog): string | undefined {
  if (reservedNames.includes(name)) {
    return "this name is reserved: it selects the OpenAI-compatible API of a built-in provider; choose another name"
  }
  if (OWN_PATHS.includes(name)) {
    return `this name is reserved: /${name} is a path of the gateway itself; choose another name`
  }
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) return undefined
  return "expected a provider name of lower-case letters, digits, - and _ (at most 63)"
}

/** Returns the built-in and the configured providers. Calls `reject` for a provider that lacks a setting. */
export function toProviders(
  values: ReadonlyMap<string, unknown>,
  catalog: ProviderCatalog,
  reject: (path: string, why: string) => void,
): Readonly<Record<string, ProviderSettings>> {
  const names = new Set(Object.keys(catalog.builtIn))
  for (const [path, value] of values) {
    if (path.startsWith("providers.") && value !== undefined) names.add(path.split(".")[1]!)
  }
  const providers: Record<string, ProviderSettings> = {}
  for (const name of names) {
    const found = readValues(name, values)
    providers[name] = toProvider(name, found, catalog, (key, why) => reject(`providers.${name}.${key}`, why))
  }
  return providers
}

type Key = keyof typeof PROVIDER_SETTINGS
/** The values of the settings of one provider. */
type Values = { readonly [K in Key]?: (typeof PROVIDER_SETTINGS)[K] extends Setting<infer T> ? T : never }

function readValues(name: string, values: ReadonlyMap<string, unknown>): Values {
  return Object.fromEntries(Object.keys(PROVIDER_SETTINGS).map((key) => [key, values.get(`providers.${name}.${key}`)]))
}

function toProvider(
  name: string,
  values: Values,
  { builtIn, clouds, formats }: ProviderCatalog,
  reject: (key: Key, why: string) => void,
): ProviderSettings {
  const { like = "", models, deployments, prices, discount, billing = builtIn[name]?.billing } = values
  // A value that is not valid is no list. It has been rejected.
  const regions = Array.isArray(values.regions) ? (values.regions as readonly string[]) : undefined
  const region = values.region ?? regions?.[0]
  const cloud = clouds[name] ?? clouds[like]
  const address = typeof region === "string" ? cloud?.addressIn?.(region) : undefined
  const baseUrl = values.base_url ?? address ?? builtIn[name]?.baseUrl
  const format = values.format ?? builtIn[name]?.format ?? cloud?.format ?? builtIn[like]?.format
  const { key, example } = cloud?.setting ?? { key: "base_url", example: undefined }
  if (baseUrl === undefined && values[key] === undefined && values.regions === undefined) {
    const such = example === undefined ? "" : `, such as ${example}`
    reject(key, `expected ${PROVIDER_SETTINGS[key].parser.expected}${such}, got nothing`)
  }
  if (region !== undefined && cloud?.addressIn === undefined) {
    const withRegions = Object.keys(clouds).filter((each) => clouds[each]!.addressIn)
    reject(
      values.region === undefined ? "regions" : "region",
      `only ${withRegions.join(" and ")} have regions, and providers whose \`like\` is one of them`,
    )
  }
  const problem = regions && findRegionsProblem(cloud, values.base_url)
  if (problem !== undefined) reject("regions", problem)
  if (format === undefined) reject("format", `expected ${oneOf(...formats).expected}, got nothing`)
  if (format !== undefined && format !== (builtIn[name]?.format ?? format)) {
    reject("format", `the format of ${name} is ${builtIn[name]?.format}; use another name for another provider`)
  }
  return {
    baseUrl: baseUrl as string,
    format: format as string,
    ...(like !== "" && { like }),
    ...(region !== undefined && { region }),
    ...(regions && { regions: Object.fromEntries(regions.map((each) => [each, cloud?.addressIn?.(each) ?? ""])) }),
    ...((models ?? deployments) && { models: { ...models, ...deployments } }),
    ...(prices !== undefined && { prices }),
    ...(discount !== undefined && { discount }),
    ...(billing !== undefined && { billing }),
  }
}

function findRegionsProblem(cloud: CloudFacts | undefined, baseUrl: string | undefined): string | undefined {
  if (cloud?.addressIn === undefined) return undefined
  if (cloud.regionIn === undefined) return "only the paths of vertex name a region; use region"
  if (baseUrl !== undefined) return "each region has an address of its own; remove base_url"
  return undefined
}

function row<T>(parser: ValueParser<T, "">, doc: string): Setting<T | undefined, ""> {
  return { parser, initial: undefined, doc, secret: false }
}
