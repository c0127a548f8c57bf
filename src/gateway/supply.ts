import type { Caller } from "../core/call.ts"
import type { ProviderCredential } from "../core/provider-credential.ts"
import type { CredentialPlace } from "../providers/_credentials.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { RoutedRequest } from "../providers/_routing.ts"
import type { Format, Provider } from "../providers/catalog.ts"
import { type ClientCredentials, createCredentialChecks, type Withheld } from "./credentials.ts"

/** With which credential a request goes to its provider. */
export interface RequestCredentials {
  /** The credentials of the client that the provider does not get. */
  readonly withheld: Withheld
  /** The credential that the gateway adds; undefined: the request has the client's own, or none. */
  readonly supplied?: ProviderCredential | undefined
}

type FindCredential = (
  provider: string,
  caller: Caller,
) => ProviderCredential | undefined | Promise<ProviderCredential | undefined>

/**
 * Creates the choice of the credential for a request: the client's own, or else the one that the gateway holds for the
 * provider. The choice is a promise only if the gateway has to read its credentials first.
 *
 * The choice throws a GatewayError: `foreign_credential`, `no_provider_credential`, `provider_key_removed`,
 * `vault_unavailable`.
 */
export function createCredentialChoice(
  dialects: Readonly<Record<Format, Dialect>>,
  findCredential: FindCredential | undefined,
): (provider: Provider, request: RoutedRequest, caller: Caller) => RequestCredentials | Promise<RequestCredentials> {
  const checks = createCredentialChecks(dialects)

  function toCredentials(client: ClientCredentials, supplied: ProviderCredential | undefined): RequestCredentials {
    if (supplied !== undefined) return { withheld: checks.everything, supplied }
    if (client.toMissing) throw client.toMissing()
    return client
  }

  return (provider, request, caller) => {
    const client = checks.of(provider)(request)
    if (!client.isOpen) return client
    const found = findCredential?.(provider.name, caller)
    return found instanceof Promise
      ? found.then((supplied) => toCredentials(client, supplied))
      : toCredentials(client, found)
  }
}

/** Azure takes a key in a header of its own, although it offers OpenAI's API. */
const AZURE: CredentialPlace = { header: "api-key" }
const AZURE_HOST = /\.azure\.(?:com|us|cn)$/
/** Vertex AI takes a key in Google's header, also where it offers the API of Anthropic or OpenAI. */
const VERTEX: CredentialPlace = { header: "x-goog-api-key" }
const VERTEX_HOST = /(?:^|[.-])aiplatform\.(?:[a-z]{2}\.rep\.)?googleapis\.com$/
/** Tokens that are valid for a time, which every provider takes as a bearer token: Google's, Anthropic's, JSON Web Tokens. */
const TOKEN = /^(?:ya29\.|sk-ant-oat|eyJ)/

/** Returns the header with a supplied key: its name and its value. */
export function toCredentialHeader(
  secret: string,
  places: readonly CredentialPlace[],
  { name, host }: { readonly name: string; readonly host: string },
): readonly [string, string] {
  if (TOKEN.test(secret)) return ["authorization", `Bearer ${secret}`]
  const place = placeOfCloud(name, host) ?? places.find((each) => "header" in each)
  if (place === undefined || !("header" in place)) return ["authorization", `Bearer ${secret}`]
  return [place.header, place.scheme === "bearer" ? `Bearer ${secret}` : secret]
}

function placeOfCloud(name: string, host: string): CredentialPlace | undefined {
  if (name === "azure" || AZURE_HOST.test(host)) return AZURE
  return name === "vertex" || VERTEX_HOST.test(host) ? VERTEX : undefined
}
