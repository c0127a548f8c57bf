import type { ProviderCredential, UnsignedRequest } from "../core/provider-credential.ts"
import type { Proxies } from "../kit/proxy/proxies.ts"
import { createTokens } from "./google-token.ts"
import { signForAws } from "./sign-aws.ts"

interface AuthorizerOptions {
  /** The proxies through which access tokens are fetched. */
  readonly proxies?: Proxies | undefined
  /** Milliseconds since the epoch. */
  now(): number
  /** The same as AWS counts them. */
  awsNow?(): number
}

/**
 * Creates the function that adds a credential to a request, where the credential is not sent as it is: it signs for AWS, and
 * gets access tokens of Google Cloud. It returns the headers to send, names and values alternating.
 *
 * The function throws a GatewayError, whose message contains no secret: `no_provider_credential` if the credential cannot be
 * used, `provider_unreachable` if no token can be fetched now.
 */
export function createAuthorizer({ proxies, now, awsNow = now }: AuthorizerOptions) {
  const tokens = createTokens({ proxies, now })
  return async (credential: ProviderCredential, request: UnsignedRequest): Promise<string[]> => {
    if (credential.kind === "aws") return signForAws(credential, request, awsNow())
    const token = credential.kind === "google" ? await tokens.get(credential) : credential.secret
    return [...withoutHeaders(request.headers, BEARER), "authorization", `Bearer ${token}`]
  }
}

const BEARER: ReadonlySet<string> = new Set(["authorization"])

function withoutHeaders(headers: readonly string[], names: ReadonlySet<string>): string[] {
  return headers.filter((_, index) => !names.has(headers[index - (index % 2)]!.toLowerCase()))
}
