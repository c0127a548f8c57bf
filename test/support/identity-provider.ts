import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
// @ts-expect-error the package has no types
import Provider from "oidc-provider"

/** What the provider knows of a person, by claim. */
export type Person = Readonly<Record<string, unknown>> | "nobody"

export const CLIENT = { id: "majordomo", secret: "secret of the client: + & %" }

/**
 * Starts an OpenID Connect provider on a port of the loopback interface. The person of `signInAs` is signed in without a
 * page; `nobody` is rejected. It says nothing about people in ID tokens: their claims are at the userinfo endpoint.
 */
export async function startIdentityProvider() {
  let person: Person = "nobody"
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    issuer,
    signInAs: (next: Person) => {
      person = next
    },
    /** Registers the gateway, whose address is known only when it has started. */
    register(redirectUri: string) {
      const client = { client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] }
      const provider = new Provider(issuer, {
        clients: [client],
        claims: { email: ["email", "email_verified"], profile: ["preferred_username", "groups"] },
        cookies: { keys: ["key of the cookies"] },
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
        pkce: { required: () => true },
        findAccount: (_: unknown, id: string) => ({
          accountId: id,
          claims: () => ({ sub: id, ...(person as object) }),
        }),
        // Nobody is asked whether the gateway may know their address.
        async loadExistingGrant({ oidc }: { oidc: { provider: typeof Provider; session: { accountId: string } } }) {
          const grant = new oidc.provider.Grant({ clientId: CLIENT.id, accountId: oidc.session.accountId })
          grant.addOIDCScope("openid email profile")
          await grant.save()
          return grant
        },
      })
      const answer = provider.callback()
      handle = (request, response) => {
        if (!request.url!.startsWith("/interaction/")) return answer(request, response)
        const rejection = { error: "access_denied", error_description: "nobody is here" }
        const result = person === "nobody" ? rejection : { login: { accountId: person["sub"] } }
        return provider.interactionFinished(request, response, result)
      }
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A browser without pages: it keeps cookies, and follows redirects one by one. */
export function createCookieBrowser() {
  const jar = new Map<string, string>()

  async function open(address: string): Promise<Response> {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(address, { redirect: "manual", headers: { Cookie: cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      const isDeleted = /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)
      if (isDeleted) jar.delete(name!)
      else jar.set(name!, value!)
    }
    return response
  }

  return {
    jar,
    open,
    /** Follows redirects until an address matches, and returns it without opening it. */
    async follow(address: string, until: (next: URL) => boolean): Promise<URL> {
      for (let next = new URL(address), steps = 0; steps < 10; steps++) {
        if (until(next)) return next
        const response = await open(next.href)
        const location = response.headers.get("location")
        if (location === null) throw new Error(`${next.href} answered ${response.status}: ${await response.text()}`)
        next = new URL(location, next)
      }
      throw new Error(`too many redirects from ${address}`)
    },
  }
}
