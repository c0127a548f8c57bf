import type { Settings } from "../config/settings.ts"
import { type Actor, includesRole, type Role } from "../core/actor.ts"
import type { Database } from "../operations/context.ts"
import { isSame, readCookie, signCookie, toCsrfToken } from "../operations/sessions/cookie.ts"
import { findSession, getCookieKey } from "../operations/sessions/find.ts"
import type { Session } from "../operations/sessions/session.ts"
import { type Proof, SignInError, signIn } from "../operations/sessions/sign-in.ts"
import { findTokenActor } from "../operations/tokens/find.ts"
import { createAttemptLimit } from "./attempts.ts"
import { type HttpExchange, isForeign, readCookieHeader, toCookie } from "./http.ts"
import { createOidc, type Oidc } from "./oidc.ts"
import { ApiError } from "./problem.ts"

/** The session of a browser, as the pages of the dashboard know it. */
interface OwnSession extends Pick<Session, "id" | "name" | "role" | "expires_at"> {
  /** State-changing calls send it as `X-CSRF-Token`. */
  readonly csrf_token: string
}

/** Decides who may call what, by admin tokens and by sessions. */
export interface Access {
  /** @throws ApiError `unauthenticated` or `forbidden` */
  authenticate(http: HttpExchange, needed: Role | "public"): Promise<{ readonly actor: Actor }>
  /** Signs a person in, and sets the cookie of the new session. @throws ApiError if the proof is not valid */
  signIn(http: HttpExchange, proof: Proof): Promise<OwnSession>
  /** Signs people in at the OpenID Connect provider of the settings. */
  readonly oidc: Oidc
  /** Returns the session of the request's cookie; undefined if there is none. */
  findOwnSession(http: HttpExchange): Promise<OwnSession | undefined>
}

interface AccessDeps {
  database(): Promise<Database>
  readonly settings: Pick<Settings, "admin" | "upstream">
  readonly now: () => number
}

const MINUTE_MS = 60_000
const CHALLENGE = { "WWW-Authenticate": "Bearer" }
const PUBLIC: Actor = { kind: "anonymous", name: "unknown", role: "viewer", id: null, address: null }
const OWN: Actor = { kind: "token", name: "admin.token", role: "admin", id: null, address: null }
const isRead = (method: string) => method === "GET" || method === "HEAD"

export function createAccess({ database, settings, now }: AccessDeps): Access {
  /** It needs no database. */
  const ownToken = settings.admin.token
  const limit = createAttemptLimit({ perAddress: 10, total: 300, windowMs: MINUTE_MS, now })
  let cookieKey: string | undefined
  const getKey = async (opened: Database) => {
    cookieKey ??= await getCookieKey({ database: opened })
    return cookieKey
  }

  async function findOwnSession({ headers }: HttpExchange): Promise<OwnSession | undefined> {
    const cookie = readCookieHeader(headers.get("cookie"))
    if (cookie === undefined) return undefined
    const opened = await database()
    const key = await getKey(opened)
    const secret = readCookie(key, cookie)
    const session = secret === undefined ? undefined : await findSession({ database: opened, now }, { secret })
    return session && toOwn(session, toCsrfToken(key, secret!))
  }

  async function findActor(http: HttpExchange): Promise<Actor> {
    const { headers, address } = http
    const authorization = headers.get("authorization")
    if (authorization !== null) {
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ""
      if (ownToken !== undefined && isSame(token, ownToken)) return { ...OWN, address }
      const actor = await findTokenActor({ database: await database() }, { token, address })
      if (actor !== undefined) return actor
      throw new ApiError("unauthenticated", "the admin token is unknown, expired or revoked", CHALLENGE)
    }
    const session = await findOwnSession(http)
    if (session === undefined) {
      const message = "this needs an admin token, as Authorization: Bearer TOKEN, or a session of the dashboard"
      throw new ApiError("unauthenticated", message, CHALLENGE)
    }
    checkOrigin(http, session)
    return { kind: "session", name: session.name, role: session.role, id: session.id, address }
  }

  async function signInBy(http: HttpExchange, proof: Proof): Promise<OwnSession> {
    limit.check(http.address)
    if (!isRead(http.method) && isForeign(http)) {
      throw new ApiError("forbidden", "a page of another origin cannot sign in here")
    }
    const opened = await database()
    const { session, secret } = await signIn({ database: opened, now }, { proof, address: http.address }).catch(
      (error) => {
        if (!(error instanceof SignInError)) throw error
        limit.fail(http.address)
        throw new ApiError("unauthenticated", error.message)
      },
    )
    const key = await getKey(opened)
    const seconds = Math.floor((Date.parse(session.expires_at) - now()) / 1000)
    http.reply.headers.append("Set-Cookie", toCookie(http, signCookie(key, secret), seconds))
    return toOwn(session, toCsrfToken(key, secret))
  }

  return {
    async authenticate(http, needed) {
      if (needed === "public") return { actor: { ...PUBLIC, address: http.address } }
      const actor = await findActor(http)
      checkRole(actor, needed)
      return { actor }
    },
    signIn: signInBy,
    oidc: createOidc({ database, getKey, settings, limit, signIn: signInBy, now }),
    findOwnSession,
  }
}

/** @throws ApiError `forbidden` if the role of the caller is not enough */
export function checkRole({ name, role }: Actor, needed: Role | "public"): void {
  if (needed === "public" || includesRole(role, needed)) return
  throw new ApiError("forbidden", `this needs the role ${needed}, and ${name} has the role ${role}`)
}

function toOwn({ id, name, role, expires_at }: Session, csrf: string): OwnSession {
  return { id, name, role, expires_at, csrf_token: csrf }
}

/** Rejects what a page of another origin could have sent in the name of the person. */
function checkOrigin(http: HttpExchange, session: OwnSession): void {
  if (isRead(http.method)) return
  if (!isForeign(http) && isSame(http.headers.get("x-csrf-token") ?? "", session.csrf_token)) return
  throw new ApiError("forbidden", "this call of a session needs its CSRF token as X-CSRF-Token, from the same origin")
}
