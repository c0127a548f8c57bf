import type { Deps } from "./deps.ts"
import { toLogIntent } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/**
 * Records that the provider may bill a request from now on, so that it gets a row even if this process is killed. Never
 * throws.
 * @param onKept is called when a kill can no longer lose it: then the request may be sent
 */
export function recordIntent(
  { ledger, onError }: Pick<Deps, "ledger" | "onError">,
  request: ProxiedRequest,
  onKept: () => void = () => {},
): void {
  request.hasIntent = true
  if (ledger.recordIntent === undefined) {
    onKept()
    return
  }
  try {
    ledger.recordIntent(toLogIntent(request), onKept)
  } catch (error) {
    onError(error, "intent")
    onKept()
  }
}
