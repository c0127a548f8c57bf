import type { Deps } from "./deps.ts"
import { toLogRecord } from "./log-record.ts"
import type { ModelNames } from "./model-names.ts"
import type { RecordedRequest, SettledRequest } from "./proxied-request.ts"

/** The parts that the last step uses. */
interface Recording extends Pick<Deps, "ledger" | "subscribers" | "onError"> {
  readonly names: ModelNames
}

/**
 * Gives the row of a settled request to the ledger, then the request to each subscriber. Never throws and never waits.
 * A failure of the ledger or of a subscriber is reported and changes nothing for the others, nor for the client.
 * @param onStored called exactly once, when the row can no longer be lost: before `record` returns for a streamed
 * answer, else soon. Also called if the ledger fails, because the client must get its answer
 */
export function record(
  { ledger, subscribers, onError, names }: Recording,
  request: SettledRequest,
  onStored: () => void,
): void {
  try {
    request.record = toLogRecord(request, names)
    // A streamed answer ends in the same write as its last piece if its row is stored without waiting.
    const { job } = request
    const stored = job === undefined ? request.record : { ...request.record, job }
    ledger.append(stored, onStored, request.ending.streamed ? "now" : "soon")
    request.reservation?.settle(stored)
  } catch (error) {
    request.reservation?.release()
    onError(error, "record")
    onStored()
  }
  if (request.record === undefined) return
  for (const publish of subscribers) {
    try {
      publish(request as RecordedRequest)
    } catch (error) {
      onError(error, "subscriber")
    }
  }
}
