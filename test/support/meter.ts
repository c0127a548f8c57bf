import type { Dialect, ProviderRequest } from "../../src/providers/_dialect.ts"
import type { ResponseHead } from "../../src/providers/_framing.ts"
import type { Meter } from "../../src/providers/_meter.ts"

/** Returns the meter that the gateway would use for an answer with this head; undefined: there is nothing to read. */
export function openMeter(dialect: Dialect, request: ProviderRequest, head: ResponseHead): Meter | undefined {
  return dialect.createMeter(request, dialect.framing(request, head))
}
