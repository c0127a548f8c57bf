import { createHash } from "node:crypto"
import { GatewayError } from "../core/errors.ts"
import type { ProviderCredential } from "../core/provider-credential.ts"
import { redactSecrets } from "../core/secrets.ts"
import { truncateText } from "../core/text.ts"
import { isRecord } from "../kit/json/is-record.ts"
import type { Proxies } from "../kit/proxy/proxies.ts"

type GoogleCredential = Extract<ProviderCredential, { readonly kind: "google" }>

interface TokenOptions {
  readonly proxies: Proxies | undefined
  /** Milliseconds since the epoch. */
  now(): number
}

interface Token {
  readonly text: string
  readonly expiresAt: number
}

const SCOPE = "https://www.googleapis.com/auth/cloud-platform"
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
const LIFETIME_S = 3600
/** A token is renewed when it has less time left. Until then requests may still begin with it. */
const RENEW_BEFORE_MS = 5 * 60_000
const TIMEOUT_MS = 10_000
/** Accounts whose tokens are remembered. */
const MAX_ACCOUNTS = 256

/**
 * Creates the access tokens of service accounts. A token is remembered until five minutes before it expires, and each account
 * asks for one at a time. (https://developers.google.com/identity/protocols/oauth2/service-account)
 */
export function createTokens({ proxies, now }: TokenOptions) {
  const tokens = new Map<string, Token>()
  const pending = new Map<string, Promise<Token>>()

  function renew(key: string, credential: GoogleCredential): Promise<Token> {
    const running = pending.get(key)
    if (running) return running
    const asking = fetchToken(credential, { proxies, now })
      .then((token) => {
        if (tokens.size >= MAX_ACCOUNTS) tokens.clear()
        tokens.set(key, token)
        return token
      })
      .finally(() => pending.delete(key))
    pending.set(key, asking)
    return asking
  }

  return {
    /** @throws GatewayError `no_provider_credential`, `provider_unreachable` */
    async get(credential: GoogleCredential): Promise<string> {
      // A rotated credential has another key, and gets another token.
      const key = createHash("sha256").update(`${credential.clientEmail}\n${credential.privateKey}`).digest("base64")
      const known = tokens.get(key)
      if (known && known.expiresAt - now() > RENEW_BEFORE_MS) return known.text
      try {
        return (await renew(key, credential)).text
      } catch (error) {
        if (known && known.expiresAt > now()) return known.text
        throw error
      }
    },
  }
}

async function fetchToken(credential: GoogleCredential, { proxies, now }: TokenOptions): Promise<Token> {
  const { tokenUri } = credential
  const form = new URLSearchParams({ grant_type: GRANT, assertion: await signAssertion(credential, now()) })
  const dispatcher = proxies && (await import("../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
  try {
    const through: object = dispatcher === undefined ? {} : { dispatcher }
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const response = await fetch(tokenUri, { ...through, method: "POST", body: form, redirect: "error", signal })
    return readToken(response.status, await response.text(), now())
  } catch (error) {
    if (error instanceof GatewayError) throw error
    // The error can contain the request, and so the assertion.
    throw new GatewayError(
      "provider_unreachable",
      `No access token of Google Cloud could be fetched: ${new URL(tokenUri).host} did not answer. Try again shortly.`,
    )
  } finally {
    await dispatcher?.destroy()
  }
}

/** Returns the signed statement that the account asks for a token. */
async function signAssertion({ clientEmail, privateKey, privateKeyId, tokenUri }: GoogleCredential, now: number) {
  const { importPKCS8, SignJWT } = await import("jose")
  const seconds = Math.floor(now / 1000)
  const key = await importPKCS8(privateKey, "RS256").catch(() => {
    throw new GatewayError(
      "no_provider_credential",
      "The private key of the service account cannot be read. Store the JSON file of the service account again.",
    )
  })
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(privateKeyId !== undefined && { kid: privateKeyId }) })
    .setIssuer(clientEmail)
    .setAudience(tokenUri)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + LIFETIME_S)
    .sign(key)
}

function readToken(status: number, text: string, now: number): Token {
  const answer = parse(text)
  const { access_token: token, expires_in: lifetime } = answer
  if (status === 200 && typeof token === "string" && /^[\x21-\x7e]+$/.test(token)) {
    return { text: token, expiresAt: now + (typeof lifetime === "number" ? lifetime : LIFETIME_S) * 1000 }
  }
  const { error, error_description: description } = answer
  // A proxy or an emulator may repeat the assertion.
  const why = redactSecrets([error, description].filter((each) => typeof each === "string").join(": "))
  // Google rejects an account with 400 or 401. Anything else can be over soon.
  const code = status === 400 || status === 401 ? "no_provider_credential" : "provider_unreachable"
  throw new GatewayError(
    code,
    `Google Cloud gave no access token for the service account of this gateway (status ${status}${why === "" ? "" : `, ${truncateText(why, 200)}`}).`,
  )
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}
