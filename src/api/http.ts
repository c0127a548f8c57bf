/** A request over HTTP, and what its response gets beside the output of the route. */
export interface HttpExchange {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** The IP address of the client, or of the proxy in front of the gateway. */
  readonly address: string | null
  readonly reply: { status: number; readonly headers: Headers }
}

const COOKIE = "majordomo_session"

export function toExchange(request: Request): HttpExchange {
  // The server puts the address of the client beside the standard members.
  const { ip } = request as { readonly ip?: string }
  return {
    method: request.method,
    url: new URL(request.url),
    headers: request.headers,
    address: ip ?? null,
    reply: { status: 200, headers: new Headers() },
  }
}

/** Returns the session's cookie of a Cookie header. */
export function readCookieHeader(header: string | null): string | undefined {
  const pair = header?.split(/;\s*/).find((each) => each.startsWith(`${COOKIE}=`))
  return pair?.slice(COOKIE.length + 1)
}

/** Returns a Set-Cookie header. An age of 0 deletes the cookie. */
export function toCookie(http: HttpExchange, value: string, seconds: number): string {
  const secure = isSecure(http) ? "; Secure" : ""
  return `${COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`
}

/** Whether the browser uses HTTPS, which a proxy in front of the gateway ends. */
function isSecure({ headers }: HttpExchange): boolean {
  return headers.get("x-forwarded-proto")?.split(",", 1)[0]?.trim() === "https"
}

/** Whether a browser says that a page of another origin made the request. Other clients say nothing. */
export function isForeign({ headers }: HttpExchange): boolean {
  const site = headers.get("sec-fetch-site")
  if (site !== null && site !== "same-origin" && site !== "none") return true
  const origin = headers.get("origin")
  if (origin === null) return false
  return !URL.canParse(origin) || new URL(origin).host !== headers.get("host")?.toLowerCase()
}
