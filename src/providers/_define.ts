import { readCredential } from "./_credentials.ts"
import { DescribingCollector } from "./_description.ts"
import type { Dialect, DialectDefinition } from "./_dialect.ts"
import { readErrorMessage } from "./_error-message.ts"
import type { Evidence } from "./_evidence.ts"
import { framingOf } from "./_framing.ts"
import { JobCollector } from "./_jobs.ts"
import { CollectingMeter, RequestMeter } from "./_meter.ts"
import { withRegion } from "./_region.ts"
import { isFreeOperation } from "./_routes.ts"

/** Completes a dialect's definition with what follows from its tables. */
export function defineDialect(definition: DialectDefinition): Dialect {
  const { routes, credentials, createCollector, isBilledByRequest, jobs, describes } = definition
  const toReading = (evidence: Evidence) => withRegion(definition.toReading(evidence), evidence.path)
  return {
    retryWithout: () => false,
    framing: (_request, head) => framingOf(head),
    readErrorMessage,
    ...definition,
    toReading,
    createMeter(request, framing, sink, headers) {
      if (framing === "opaque") {
        return isBilledByRequest?.(request) ? new RequestMeter(createCollector(request, headers), toReading) : undefined
      }
      let collector = createCollector(request, headers)
      const description = sink?.description
      const describer = description && describes?.(request)
      if (describer) collector = new DescribingCollector(collector, describer, description)
      const reader = sink && jobs?.(request)
      return new CollectingMeter(framing, reader ? new JobCollector(collector, reader, sink) : collector, toReading)
    },
    isFree: ({ method, path }) => isFreeOperation(routes.operations.find(method, path), false),
    readCredential: (request) => readCredential(credentials, request),
  }
}
