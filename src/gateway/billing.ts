import type { Headers, RawHeaders } from "../core/call.ts"
import type { Billing } from "../core/cost.ts"
import { findRaw } from "../core/raw-headers.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { Provider } from "../providers/catalog.ts"

/** Returns how a request is paid: as the settings of its provider say, or else by its credential. */
export function findBilling(
  { billing }: Provider,
  { logins }: Dialect,
  credential: string | undefined,
  { headers }: { readonly headers: Headers },
): Billing | undefined {
  if (billing !== undefined) return billing === "api" ? undefined : billing
  const isLogin = credential !== undefined && logins?.isLogin(credential, headers) === true
  return isLogin ? "subscription" : undefined
}

/** Returns true if the headers of an answer say that the provider charges for it, although the request has a login. */
export function isBilledDespiteLogin({ billing }: Provider, { logins }: Dialect, headers: RawHeaders): boolean {
  return billing === undefined && logins?.isBilled?.((name) => findRaw(headers, name)) === true
}
