import type { JobItemKey } from "../core/job.ts"
import { uuidV7 } from "../kit/uuid.ts"
import type { JobItem } from "../providers/_jobs.ts"
import type { Deps } from "./deps.ts"
import { toLogRecord } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/**
 * Prices one billed piece of a job and gives it to the ledger as a record of its own. The ledger bills it once, to the
 * request that created the job, however often answers show it. Never throws: a failure costs the piece its record, and
 * the next answer that shows it repeats it.
 * @param request the request whose answer shows the piece
 */
export function recordItem(
  { price, ledger, onError, settings }: Pick<Deps, "price" | "ledger" | "onError" | "settings">,
  request: ProxiedRequest,
  { reading, failed, startedAt, ...key }: JobItem,
): void {
  try {
    const at = Math.round(request.now())
    const provider = request.route.provider.name
    const cost = price({ provider, requestedModel: undefined, reading, at: startedAt ?? at, failed: failed ?? false })
    const record = toLogRecord({
      ...request,
      call: { ...request.call, id: uuidV7(at), receivedAt: at },
      prepared: { requestedModel: undefined },
      ending: { ...DELIVERED, respondedAt: at, reading },
      cost,
      bodies: undefined,
      identity: undefined,
    })
    const job: JobItemKey = { ...key, ...(settings.foreignJobs && { foreign: true }) }
    ledger.append({ ...record, job })
  } catch (error) {
    onError(error, "job")
  }
}

const DELIVERED = {
  outcome: "complete",
  statusCode: 200,
  firstByteMs: undefined,
  streamed: false,
  error: undefined,
} as const
