import type { ProviderRequest } from "./_dialect.ts"
import type { Collector, Evidence } from "./_evidence.ts"

/** The collector for a download of a job's results, which is free: a `JobReader` reads the items that are billed. */
export class DeliveryCollector implements Collector {
  readonly shape = {}
  private readonly request: ProviderRequest

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(): boolean {
    return true
  }

  add(): void {}

  evidence(): Evidence {
    const { method, path } = this.request
    return { method, path, model: undefined, usage: undefined, source: "reported", isFree: true }
  }
}
