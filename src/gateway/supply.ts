import type { Caller } from "../core/call.ts"
import type { ProviderCredential } from "../core/provider-credential.ts"
import type { CredentialPlace } from "../providers/_credentials.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { RoutedRequest } from "../providers/_routing.ts"
import type { Format } from "../providers/catalog.ts"
import { type ClientCredentials, createCredentialChecks, type Withheld } from "./credentials.ts"
import type { Route } from "./route.ts"

/** With which credential a request goes to its provider. */
export interface RequestCredentials {
  /** The credentials of the client that the provider does not get. */
  readonly withheld: Withheld
  /** The places where the client's credential can be; undefined: those of the API that it calls. */
  readonly places?: readonly CredentialPlace[]
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
): (route: Route, request: RoutedRequest, caller: Caller) => RequestCredentials | Promise<RequestCredentials> {
  const checks = createCredentialChecks(dialects)

  function toCredentials(client: ClientCredentials, supplied: ProviderCredential | undefined): RequestCredentials {
    if (supplied !== undefined) return { withheld: checks.everything, supplied }
    if (client.toMissing) throw client.toMissing()
    return client
  }

  return (route, request, caller) => {
    const client = checks.of(route)(request)
    if (!client.isOpen) return client
    const found = findCredential?.(route.provider.name, caller)
    return found instanceof Promise
      ? found.then((supplied) => toCredentials(client, supplied))
      : toCredentials(client, found)
  }
}

interface Cloud {
  readonly name: string
  readonly host: RegExp
  /** Returns the place of a key, whichever of the cloud's APIs the places belong to. */
  place(places: readonly CredentialPlace[]): CredentialPlace | undefined
}

/** The clouds have places of their own, although they offer the APIs of others. */
const CLOUDS: readonly Cloud[] = [
  // `api-key` for OpenAI's API, `x-api-key` for Anthropic's. A bearer token is one of Entra ID.
  { name: "azure", host: /\.azure\.(?:com|us|cn)$/, place: (places) => places.find(isPlain) },
  { name: "bedrock", host: /(?:^|\.)bedrock[\w-]*\..*(?:amazonaws\.com(?:\.cn)?|\.api\.aws)$/, place: () => undefined },
  { name: "vertex", host: /(?:^|[.-])aiplatform(?:\.[a-z]{2}\.rep)?\.googleapis\.com$/, place: () => GOOGLE },
]
const isPlain = (place: CredentialPlace) => "header" in place && place.scheme === undefined
const GOOGLE: CredentialPlace = { header: "x-goog-api-key" }
/** Tokens that are valid for a time, which every provider takes as a bearer token: Google's, Anthropic's, JSON Web Tokens. */
const TOKEN = /^(?:ya29\.|sk-ant-oat|eyJ)/

/** Returns the header with a supplied key: its name and its value. */
export function toCredentialHeader(
  secret: string,
  places: readonly CredentialPlace[],
  { name, host }: { readonly name: string; readonly host: string },
): readonly [string, string] {
  const place = TOKEN.test(secret) ? undefined : findPlace(places, name, host)
  if (place === undefined || !("header" in place)) return ["authorization", `Bearer ${secret}`]
  return [place.header, place.scheme === "bearer" ? `Bearer ${secret}` : secret]
}

function findPlace(places: readonly CredentialPlace[], name: string, host: string): CredentialPlace | undefined {
  for (const cloud of CLOUDS) if (name === cloud.name || cloud.host.test(host)) return cloud.place(places)
  return places.find((each) => "header" in each)
}
