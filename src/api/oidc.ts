import type { Settings } from "../config/settings.ts"
import type { Database } from "../operations/context.ts"
import { openText, sealText } from "../operations/sessions/cookie.ts"
import { OidcError } from "../operations/sessions/oidc/error.ts"
import { toIdentity } from "../operations/sessions/oidc/identity.ts"
import { createOidcProvider, type OidcFlow } from "../operations/sessions/oidc/provider.ts"
import { type Proof, recordRejection } from "../operations/sessions/sign-in.ts"
import type { AttemptLimit } from "./attempts.ts"
import { getOrigin, type HttpExchange, isForeign, OIDC_FLOW, readCookieHeader, redirect, toCookie } from "./http.ts"
import { ApiError } from "./problem.ts"

/**
 * Signs people in at an OpenID Connect provider. Both halves end with a redirect; one that fails leads to the dashboard,
 * whose sign-in page explains the code after `#oidc=`.
 */
export interface Oidc {
  /** Redirects the browser to the provider. @throws ApiError `not_found` if there is none in the settings */
  start(http: HttpExchange): Promise<void>
  /** Takes the provider's answer, and signs the person in. @throws ApiError `not_found` if there is none in the settings */
  finish(http: HttpExchange): Promise<void>
}

interface OidcDeps {
  readonly settings: Pick<Settings, "admin" | "upstream">
  readonly limit: AttemptLimit
  readonly now: () => number
  database(): Promise<Database>
  /** Returns the key that signs cookies. */
  getKey(database: Database): Promise<string>
  /** Creates the session, and sets its cookie. */
  signIn(http: HttpExchange, proof: Proof): Promise<unknown>
}

const FLOW_SECONDS = 600
const DASHBOARD = "/dashboard/"

export function createOidc({ settings, limit, now, database, getKey, signIn }: OidcDeps): Oidc {
  const { url, oidc } = settings.admin
  const provider = createOidcProvider(settings, now)
  const getRedirectUri = (http: HttpExchange) => `${url ?? getOrigin(http)}/api/v1/oidc/callback`
  const setFlow = (http: HttpExchange, value: string, seconds: number) =>
    http.reply.headers.append("Set-Cookie", toCookie(http, value, seconds, OIDC_FLOW))

  /** Returns the handler of one half, which answers to what went wrong as to every other failed sign-in. */
  const guard = (half: (http: HttpExchange, key: string) => Promise<void>) => async (http: HttpExchange) => {
    if (oidc.issuer === undefined) {
      throw new ApiError("not_found", "no OpenID Connect provider is configured: set admin.oidc.issuer")
    }
    // A page of another website could otherwise use up the attempts of its readers by pictures and frames.
    const destination = http.headers.get("sec-fetch-dest")
    if (destination !== null && destination !== "document") {
      throw new ApiError("forbidden", "a browser opens this address itself, and not as a part of a page")
    }
    const { address } = http
    try {
      limit.check(address)
      await half(http, await getKey(await database()))
    } catch (error) {
      if (error instanceof ApiError && error.code === "too_many_attempts") {
        return redirect(http, `${DASHBOARD}#oidc=busy`)
      }
      if (!(error instanceof OidcError)) throw error
      limit.fail(address)
      const { reason, message: detail } = error
      await recordRejection({ database: await database() }, { address, after: { how: "oidc", reason, detail } })
      redirect(http, `${DASHBOARD}#oidc=${reason}`)
    }
  }

  return {
    start: guard(async (http, key) => {
      // No other website signs anybody in here.
      if (isForeign(http)) return redirect(http, DASHBOARD)
      const { address, flow } = await provider.begin(getRedirectUri(http))
      setFlow(http, sealText(key, JSON.stringify(flow), now() + FLOW_SECONDS * 1000), FLOW_SECONDS)
      redirect(http, address.href)
    }),
    finish: guard(async (http, key) => {
      // Whatever becomes of the answer, this browser cannot send it again.
      setFlow(http, "", 0)
      const flow = openText(key, readCookieHeader(http.headers.get("cookie"), OIDC_FLOW) ?? "", now())
      if (flow === undefined) throw new OidcError("stale", "the browser has no sign-in that it began within 10 minutes")
      const answer = new URL(getRedirectUri(http))
      answer.search = http.url.search
      const claims = await provider.finish(answer, JSON.parse(flow) as OidcFlow)
      await signIn(http, { identity: toIdentity(claims, oidc) })
      redirect(http, DASHBOARD)
    }),
  }
}
