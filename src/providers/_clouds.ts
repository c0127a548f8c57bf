import type { CredentialPlace } from "./_credentials.ts"
import { hasSign, type RoutedRequest } from "./_routing.ts"

/** A cloud that offers the models of several makers. It is a provider as soon as its settings say where it is. */
interface Cloud {
  /** The name for people. */
  readonly title: string
  /** The name of the dialect of its own paths. */
  readonly format: string
  /** Paths that only this cloud has. Without them, the dialect of the cloud claims its paths. */
  readonly paths?: RegExp
  /** Paths that others have too, which are the cloud's if the request carries one of its signs. */
  readonly sharedPaths?: RegExp
  readonly signs?: readonly CredentialPlace[]
  /** What has to be set under `providers.NAME`, with an example. */
  readonly setting: { readonly key: "base_url" | "region"; readonly example: string }
  /** Returns the base URL of a region; undefined: the cloud has an address per customer, which has to be set. */
  readonly addressIn?: (region: string) => string
  /** Returns the region that a path names; undefined: it names none. Without it, no path of the cloud does. */
  readonly regionIn?: (path: string) => string | undefined
}

export type CloudName = keyof typeof CLOUDS

const VERTEX_LOCATION = /^\/v1(?:beta1)?\/projects\/[^/]+\/locations\/([^/]+)/

/** The clouds by the names of their providers. */
export const CLOUDS = {
  azure: {
    title: "Azure OpenAI",
    format: "openai",
    paths: /^\/openai\/deployments\//,
    // `/openai/v1/…` is the prefix of OpenAI as well, and `/models/…` is Foundry's.
    sharedPaths: /^\/(?:openai\/|models\/[a-z]+\/)/,
    signs: [{ header: "api-key" }, { query: "api-version" }],
    setting: { key: "base_url", example: "https://RESOURCE.openai.azure.com" },
  },
  bedrock: {
    title: "Amazon Bedrock",
    format: "bedrock",
    setting: { key: "region", example: "us-east-1" },
    addressIn: (region) => `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`,
  },
  vertex: {
    title: "Vertex AI",
    format: "gemini",
    paths: /^\/(?:v1(?:beta1)?\/(?:projects\/[^/]+\/locations|publishers)\/|\/?ws\/google\.cloud\.aiplatform\.)/,
    setting: { key: "region", example: "us-central1, or global" },
    addressIn: toVertexAddress,
    regionIn: (path) => VERTEX_LOCATION.exec(path)?.[1],
  },
} as const satisfies Readonly<Record<string, Cloud>>

const ENTRIES = Object.entries(CLOUDS) as readonly (readonly [CloudName, Cloud])[]

/** Returns the cloud whose API a request calls without naming a provider; undefined: it calls none. */
export function findCloud(request: RoutedRequest): CloudName | undefined {
  const { path } = request
  for (const [name, { paths, sharedPaths, signs }] of ENTRIES) {
    if (paths?.test(path) || (sharedPaths?.test(path) && hasSign(signs, request))) return name
  }
  return undefined
}

export function isCloud(name: string): name is CloudName {
  return Object.hasOwn(CLOUDS, name)
}

/** `us` and `eu` are multi-regions, which have addresses of another form. */
function toVertexAddress(region: string): string {
  if (region === "global") return "https://aiplatform.googleapis.com"
  if (/^[a-z]{2}$/.test(region)) return `https://aiplatform.${region}.rep.googleapis.com`
  return `https://${region}-aiplatform.googleapis.com`
}
