import { ROLES, type Role } from "../../../core/actor.ts"
import { INVISIBLE } from "../../../core/text.ts"
import { OidcError } from "./error.ts"

/** What a provider says about a person: the claims of the ID token, and those of the userinfo endpoint. */
export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string }

interface Rules {
  readonly allowedDomains: readonly string[]
  readonly roleClaim: string | undefined
  readonly defaultRole: Role | undefined
}

const MAX_NAME = 200

/**
 * Returns the name and the role of the person that a provider has vouched for.
 *
 * @throws OidcError `unverified`, `domain` or `role` if the person may not sign in
 */
export function toIdentity(claims: Claims, { allowedDomains, roleClaim, defaultRole }: Rules) {
  const email = claims["email_verified"] === true ? toText(claims["email"]) : undefined
  if (allowedDomains.length > 0) {
    if (email === undefined) throw new OidcError("unverified", "the provider vouches for no e-mail address")
    const domain = email.slice(email.lastIndexOf("@") + 1).toLowerCase()
    if (!allowedDomains.some((each) => each.toLowerCase() === domain)) throw new OidcError("domain", domain)
  }
  const role = (roleClaim !== undefined && findRole(claims[roleClaim])) || defaultRole
  if (role === undefined) throw new OidcError("role", `no role for ${toName(claims, email)}`)
  return { name: toName(claims, email), role }
}

/** Only a verified address stands alone. People choose their user names themselves, so the subject stands beside them. */
function toName({ sub, preferred_username }: Claims, email: string | undefined): string {
  const user = toText(preferred_username)
  const name = email ?? (user === undefined ? sub : `${user} (${sub})`)
  return name.replace(INVISIBLE, "").slice(0, MAX_NAME)
}

/** Returns the highest role that a claim names. */
function findRole(claim: unknown): Role | undefined {
  const named = Array.isArray(claim) ? claim : [claim]
  return ROLES.findLast((role) => named.includes(role))
}

function toText(claim: unknown): string | undefined {
  return typeof claim === "string" && claim !== "" ? claim : undefined
}
