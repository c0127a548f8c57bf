import type { ClientAuth, Configuration, CustomFetch } from "openid-client"
import type { Settings } from "../../../config/settings.ts"
import { OidcError } from "./error.ts"
import type { Claims } from "./identity.ts"

/** What the browser keeps between the two halves of a sign-in, in a signed cookie. */
export interface OidcFlow {
  readonly state: string
  readonly nonce: string
  /** The secret of PKCE: a code without it is of no use. */
  readonly verifier: string
}

interface OidcProvider {
  /** Returns the address at which a person signs in. @throws OidcError if the provider cannot be reached */
  begin(redirectUri: string): Promise<{ readonly address: URL; readonly flow: OidcFlow }>
  /**
   * Checks the answer with which the provider has sent the person back, and returns what it says about them.
   * @param answer the redirect URI with the query of the answer
   * @throws OidcError `stale`, `denied` or `provider`
   */
  finish(answer: URL, flow: OidcFlow): Promise<Claims>
}

/** How long the provider's configuration is used. Its keys are fetched again whenever a signature needs a new one. */
const RENEW_MS = 3_600_000
const TIMEOUT_S = 10

/** Creates the client of the OpenID Connect provider of the settings. The module openid-client is loaded when it is used. */
export function createOidcProvider({ admin, upstream }: Pick<Settings, "admin" | "upstream">, now: () => number) {
  const { oidc } = admin
  const load = () => import("openid-client")
  let known: { readonly configuration: Configuration; readonly until: number } | undefined

  async function configure(): Promise<Configuration> {
    if (known !== undefined && now() < known.until) return known.configuration
    const client = await load()
    const issuer = new URL(oidc.issuer!)
    const { proxies } = upstream
    const dispatcher = proxies && (await import("../../../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
    const viaProxy: CustomFetch = (url, options) => fetch(url, { ...options, dispatcher } as RequestInit)
    const configuration = await client.discovery(issuer, oidc.clientId!, undefined, authenticate(client, oidc), {
      timeout: TIMEOUT_S,
      // The settings allow http for an address of this machine only.
      ...(issuer.protocol === "http:" && { execute: [client.allowInsecureRequests] }),
      ...(dispatcher && { [client.customFetch]: viaProxy }),
    })
    known = { configuration, until: now() + RENEW_MS }
    return configuration
  }

  const provider: OidcProvider = {
    begin: (redirectUri) =>
      explain(async () => {
        const client = await load()
        const configuration = await configure()
        const flow = {
          state: client.randomState(),
          nonce: client.randomNonce(),
          verifier: client.randomPKCECodeVerifier(),
        }
        const address = client.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: "openid email profile",
          state: flow.state,
          nonce: flow.nonce,
          code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
          code_challenge_method: "S256",
        })
        return { address, flow }
      }),
    finish: (answer, { state, nonce, verifier }) =>
      explain(async () => {
        if (answer.searchParams.get("state") !== state)
          throw new OidcError("stale", "the state is that of another sign-in")
        const error = answer.searchParams.get("error")
        if (error !== null) throw new OidcError("denied", `the provider answered ${error}`)
        const client = await load()
        const configuration = await configure()
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier }
        const tokens = await client.authorizationCodeGrant(configuration, answer, checks)
        const claims = tokens.claims()!
        const needed = ["email", "email_verified", ...(oidc.roleClaim === undefined ? [] : [oidc.roleClaim])]
        const isComplete = needed.every((name) => claims[name] !== undefined)
        if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return claims
        // Many providers say more about a person there. What the ID token says takes precedence, because it is signed.
        return { ...(await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims }
      }),
  }
  return provider
}

/** Returns how the gateway identifies itself: by the client secret, in a way that the provider supports, or by PKCE alone. */
function authenticate(client: typeof import("openid-client"), { clientSecret }: Settings["admin"]["oidc"]): ClientAuth {
  if (clientSecret === undefined) return client.None()
  const [basic, post] = [client.ClientSecretBasic(clientSecret), client.ClientSecretPost(clientSecret)]
  return (server, ...rest) => {
    const supported = server.token_endpoint_auth_methods_supported
    return (supported?.includes("client_secret_basic") === false ? post : basic)(server, ...rest)
  }
}

async function explain<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof OidcError) throw error
    const { message, code, error: answered } = error as { message?: string; code?: string; error?: string }
    throw new OidcError("provider", [message, code, answered].filter((each) => typeof each === "string").join(", "))
  }
}
