import type { Headers } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { GATEWAY_KEY_PREFIX } from "../core/key.ts"
import { isCloud } from "../providers/_clouds.ts"
import {
  type CredentialPlace,
  containsGatewayKey,
  decodeQuery,
  hasPlace,
  readCredential,
  readSubprotocol,
} from "../providers/_credentials.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { Format, Provider } from "../providers/catalog.ts"
import type { Route } from "./route.ts"

interface Request {
  readonly headers: Headers
  readonly query: string
}

/** The places of credentials that are not forwarded. */
export interface Withheld {
  /** Names in lower case. */
  readonly headers: ReadonlySet<string>
  readonly parameters: readonly string[]
  /** The beginnings of subprotocols. */
  readonly subprotocols: readonly string[]
}

/** The credentials of a request, as the client sent them. */
export interface ClientCredentials {
  readonly withheld: Withheld
  /** The places where the client's credential can be; undefined: those of the API that it calls. */
  readonly places?: readonly CredentialPlace[]
  /** The client sent no credential for this provider, so that the gateway may supply one. */
  readonly isOpen: boolean
  /** Returns the error if the gateway has none either; undefined: the request is forwarded without a credential. */
  readonly toMissing: (() => GatewayError) | undefined
}

/**
 * Finds out which credentials a request has.
 *
 * @throws GatewayError `foreign_credential`
 */
type CredentialCheck = (request: Request) => ClientCredentials

interface CredentialChecks {
  of(route: Pick<Route, "provider" | "format">): CredentialCheck
  /** The places to withhold if the gateway supplies the credential: every one that can have a credential. */
  readonly everything: Withheld
}

/** The owners of the public addresses, with the shapes of the credentials that only they understand. */
const OWNERS = [
  { name: "OpenAI", host: /(?:^|\.)(?:openai|chatgpt)\.com$/, shape: /^sk-(?:proj|svcacct|admin)-/ },
  { name: "Anthropic", host: /(?:^|\.)anthropic\.com$/, shape: /^sk-ant-/ },
  { name: "Google", host: /(?:^|\.)googleapis\.com$/, shape: /^(?:AIza|ya29\.)/ },
] as const

const AWS_HOST = /(?:^|\.)(?:amazonaws\.com(?:\.cn)?|api\.aws)$/
const AZURE_HOST = /\.azure\.(?:com|us|cn)$/
const AWS_PARAMETER = /[?&]x-amz-signature=/i
/** The signature of a request in its query. */
const AWS_PARAMETERS = [
  "Algorithm",
  "Credential",
  "Date",
  "Expires",
  "SignedHeaders",
  "Signature",
  "Security-Token",
].map((name) => `X-Amz-${name}`)
/** Azure's own header. OpenAI's dialect has it, and the same name in the query, because Azure offers that API. */
const AZURE_HEADER = "api-key"
const AZURE_PLACES = new Set([AZURE_HEADER, `?${AZURE_HEADER}`])
/** A credential that no dialect has. */
const AWS_TOKEN = "x-amz-security-token"
/** For a request whose credentials do not matter. */
export const NOTHING: Withheld = { headers: new Set(), parameters: [], subprotocols: [] }

/**
 * Creates the check of the credentials in a request. Its provider gets the credentials that its API has, and no others.
 * A provider of the settings, which a client has to name, may have a credential in another place than its API.
 */
export function createCredentialChecks(dialects: Readonly<Record<Format, Dialect>>): CredentialChecks {
  const checks = new Map<string, CredentialCheck>()
  const places = listCredentialPlaces(Object.values(dialects))
  return {
    of({ provider, format }) {
      const name = isClaudeAtAzure(provider, format) ? CLAUDE_AT_AZURE : provider.name
      let check = checks.get(name)
      if (check === undefined) {
        const { credentials } = dialects[name === provider.name ? provider.format : format]
        const own = name === CLAUDE_AT_AZURE ? [...credentials, { header: AZURE_HEADER }] : credentials
        check = createCheck(provider, own, places)
        checks.set(name, check)
      }
      return check
    },
    everything: toWithheld([...places, ...AWS_PARAMETERS.map((query) => ({ query }))]),
  }
}

/** No provider can have this name. */
const CLAUDE_AT_AZURE = "azure anthropic"

/** Azure takes its key in Anthropic's place too where it offers Anthropic's API. */
function isClaudeAtAzure({ name }: Provider, format: Format): boolean {
  return name === "azure" && format === "anthropic"
}

/** Returns every place in which a dialect has its credential, without repetitions. */
export function listCredentialPlaces(dialects: readonly Dialect[]): readonly CredentialPlace[] {
  const places = dialects.flatMap(({ credentials }) => credentials)
  return [...new Map(places.map((place) => [nameOf(place), place])).values()]
}

function createCheck(
  provider: Provider,
  places: readonly CredentialPlace[],
  all: readonly CredentialPlace[],
): CredentialCheck {
  const { hostname, host } = new URL(provider.baseUrl)
  const isAws = AWS_HOST.test(hostname) || provider.name === "bedrock"
  const owner = OWNERS.find(({ host }) => host.test(hostname))
  const own = owner ? places.filter((place) => !AZURE_PLACES.has(nameOf(place))) : places
  const foreign = all.filter((place) => !own.some((each) => nameOf(each) === nameOf(place)))
  const withheld = toWithheld(foreign)
  // A cloud and a provider of the dialect's own name are found by paths. Any other one is named by the client, and at an
  // address of the operator it may have its credential anywhere, or none. A second region of a cloud needs one too.
  const isFree = provider.name !== provider.format && owner === undefined && !isCloud(provider.name)
  const isKeyless = isFree && !isAws && !AZURE_HOST.test(hostname)
  const reject = (what: string) => {
    const message = `${what} does not belong to ${provider.name}, the provider of this request, so nothing was sent.`
    return new GatewayError("foreign_credential", `${message} ${adviceFor(own)}`)
  }
  const toMissing = () => {
    const message = `The gateway key stands where the provider's credential should be, and the gateway has no key of ${provider.name} itself.`
    const store = `To store one there, run majordomo-gateway provider-keys add ${provider.name}.`
    return new GatewayError("no_provider_credential", `${message} ${store} Or ${lowerFirst(adviceFor(own))}`)
  }
  const given: ClientCredentials = { withheld, places: own, isOpen: false, toMissing: undefined }
  const givenElsewhere: ClientCredentials = { ...given, withheld: NOTHING, places: all }
  const open: ClientCredentials = { withheld: isFree ? NOTHING : withheld, isOpen: true, toMissing: undefined }
  const signed: ClientCredentials = { ...open, withheld, toMissing: () => signedForGateway(provider.name) }
  const needed: ClientCredentials = { withheld, isOpen: true, toMissing }
  return (request) => {
    if (isSignedForAws(request)) {
      if (!isAws) throw reject("A signature for AWS")
      if (request.headers["host"] !== host) return signed
    }
    if (findCredential(own, request)) {
      const stranger = owner && findOwner(readCredential(own, request))
      if (stranger && stranger !== owner) throw reject(`A credential of ${stranger.name}`)
      return given
    }
    const other = findCredential(foreign, request)
    if (other && isFree) return givenElsewhere
    if (other) throw reject(`The credential in ${describe(other)}`)
    return !isKeyless && all.some((place) => holdsGatewayKey(place, request)) ? needed : open
  }
}

/** Returns the first place that holds something other than a gateway key. */
function findCredential(places: readonly CredentialPlace[], request: Request): CredentialPlace | undefined {
  for (const place of places) {
    if (hasPlace(place, request) && !isEmpty(place, request) && !holdsGatewayKey(place, request)) return place
  }
  return undefined
}

/** Returns true for a place without a credential: some programs send `Authorization: Bearer` when they have no key. */
function isEmpty(place: CredentialPlace, { headers, query }: Request): boolean {
  if ("query" in place) return new URLSearchParams(query).get(place.query) === ""
  if ("subprotocol" in place) return readSubprotocol(headers, place.subprotocol) === ""
  return /^(?:|bearer|basic)$/i.test(String(headers[place.header]))
}

/** Returns true if a gateway key stands in the place of a provider's credential. */
function holdsGatewayKey(place: CredentialPlace, { headers, query }: Request): boolean {
  if ("query" in place) return decodeQuery(query).includes(`${place.query}=${GATEWAY_KEY_PREFIX}`)
  if ("subprotocol" in place)
    return readSubprotocol(headers, place.subprotocol)?.startsWith(GATEWAY_KEY_PREFIX) === true
  const value = headers[place.header]
  return value !== undefined && containsGatewayKey(String(value))
}

function isSignedForAws({ headers, query }: Request): boolean {
  const { authorization } = headers
  return (
    (typeof authorization === "string" && authorization.startsWith("AWS4-") && !containsGatewayKey(authorization)) ||
    (query !== "" && AWS_PARAMETER.test(decodeQuery(query)))
  )
}

/** A signature covers the host, and AWS sees another one than the client. */
function signedForGateway(provider: string): GatewayError {
  return new GatewayError(
    "no_provider_credential",
    `The request is signed (AWS Signature Version 4) for the address of the gateway, so that ${provider} would reject it. Either send a Bedrock API key as Authorization: Bearer, or let the gateway sign: store an access key with majordomo-gateway provider-keys add ${provider} --kind aws.`,
  )
}

function findOwner(credential: string | undefined): (typeof OWNERS)[number] | undefined {
  if (credential !== undefined) for (const owner of OWNERS) if (owner.shape.test(credential)) return owner
  return undefined
}

function toWithheld(places: readonly CredentialPlace[]): Withheld {
  return {
    headers: new Set([AWS_TOKEN, ...places.flatMap((place) => ("header" in place ? [place.header] : []))]),
    parameters: places.flatMap((place) => ("query" in place ? [place.query] : [])),
    subprotocols: places.flatMap((place) => ("subprotocol" in place ? [place.subprotocol] : [])),
  }
}

function adviceFor(places: readonly CredentialPlace[]): string {
  const where = places.filter(isForRequests).map(describe).join(" or ")
  return `Send the provider's credential in ${where}, and the gateway key in X-Majordomo-Key; or name another provider in X-Majordomo-Provider.`
}

function isForRequests(place: CredentialPlace): boolean {
  return !("subprotocol" in place || ("query" in place && place.isForSockets))
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function describe(place: CredentialPlace): string {
  if ("query" in place) return `?${place.query}=`
  if ("subprotocol" in place) return `the WebSocket subprotocol ${place.subprotocol}KEY`
  return place.scheme === "bearer" ? "Authorization: Bearer" : place.header
}

function nameOf(place: CredentialPlace): string {
  if ("subprotocol" in place) return place.subprotocol
  return "header" in place ? place.header : `?${place.query}`
}
