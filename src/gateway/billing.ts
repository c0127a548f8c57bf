import type { Headers, RawHeaders } from "../core/call.ts"
import type { Billing } from "../core/cost.ts"
import { findRaw } from "../core/raw-headers.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { Provider } from "../providers/catalog.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

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

/** Puts a request with a login on the bill if the headers of its answer say that the provider charges for it. */
export function correctBilling(request: ProxiedRequest, headers: RawHeaders): void {
  if (request.billing === undefined || request.route.provider.billing !== undefined) return
  if (request.dialect.logins?.isBilled?.((name) => findRaw(headers, name))) request.billing = undefined
}
