import type { Deps } from "./deps.ts"
import { toLogIntent } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/**
 * Records that the provider may bill a request from now on, so that it gets a row even if this process is killed. Never
 * throws.
 */
export function recordIntent({ ledger, onError }: Pick<Deps, "ledger" | "onError">, request: ProxiedRequest): void {
  request.hasIntent = true
  if (ledger.recordIntent === undefined) return
  try {
    ledger.recordIntent(toLogIntent(request))
  } catch (error) {
    onError(error, "intent")
  }
}
