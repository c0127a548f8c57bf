/** A request over HTTP, and what its response gets beside the output of the route. */
export interface HttpExchange {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** The IP address of the client, or of the proxy in front of the gateway. */
  readonly address: string | null
  readonly reply: { status: number; readonly headers: Headers }
}

interface CookieKind {
  readonly name: string
  readonly path: string
  readonly sameSite: "Strict" | "Lax"
}

const SESSION: CookieKind = { name: "majordomo_session", path: "/", sameSite: "Strict" }
/** A strict cookie would not come with the request to which the provider redirects the browser. */
export const OIDC_FLOW: CookieKind = { name: "majordomo_oidc", path: "/api/v1/oidc", sameSite: "Lax" }

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

/** Returns a cookie of a Cookie header. */
export function readCookieHeader(header: string | null, { name } = SESSION): string | undefined {
  const pair = header?.split(/;\s*/).find((each) => each.startsWith(`${name}=`))
  return pair?.slice(name.length + 1)
}

/** Returns a Set-Cookie header. An age of 0 deletes the cookie. */
export function toCookie(http: HttpExchange, value: string, seconds: number, kind = SESSION): string {
  const secure = isSecure(http) ? "; Secure" : ""
  return `${kind.name}=${value}; Path=${kind.path}; HttpOnly; SameSite=${kind.sameSite}; Max-Age=${seconds}${secure}`
}

/** Makes the response a redirect: the browser continues with a GET of the address. */
export function redirect({ reply }: HttpExchange, address: string): void {
  reply.status = 303
  reply.headers.set("Location", address)
}

/** Returns the origin at which the browser reaches the gateway, as its Host and the proxy in front say. */
export function getOrigin(http: HttpExchange): string {
  return `${isSecure(http) ? "https:" : http.url.protocol}//${http.url.host}`
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
