import type { AnswerMeter } from "./answer-meter.ts"
import type { ClientResponse } from "./client-response.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { AnswerFilter } from "./response-plan.ts"
import type { StreamCost } from "./stream-cost.ts"

/** The reasons for which the provider has to wait. */
const METER = 1
const CLIENT = 2

/** The parts of an answer that its bytes pass. */
interface Parts {
  readonly request: ProxiedRequest
  readonly client: ClientResponse
  readonly meter: AnswerMeter
  readonly filter: AnswerFilter | undefined
  /** Set if the cost follows the last byte of the answer. */
  readonly cost: StreamCost | undefined
  /** Continues the provider's answer after a pause. */
  readonly resume: () => void
}

/** Passes on an answer while it arrives: to the meter, through the filter, to the capture and the client. */
export class StreamedAnswer {
  private readonly parts: Parts
  /** The sum of the reasons for which the provider waits: `METER` and `CLIENT`. At 0 it goes on. */
  private waitsFor = 0

  /** The head is sent at the end of this tick: together with the first piece if that arrives in it, else alone. */
  constructor(parts: Parts) {
    this.parts = parts
    process.nextTick(flushHead, parts.client)
  }

  /** Returns false if the provider must pause. */
  push(bytes: Buffer): boolean {
    const { request, meter, filter } = this.parts
    if (!meter.push(bytes, this.onMetered)) this.waitsFor |= METER
    const visible = filter ? (filter.push(bytes) as Buffer) : bytes
    request.capture?.push(visible)
    request.reservation?.onPiece(bytes.length, meter)
    return this.write(visible)
  }

  /** Passes on bytes that the meter, the filter and the capture have had before. Returns false if the provider must pause. */
  write(bytes: Buffer): boolean {
    this.parts.cost?.onPiece(bytes)
    if (!this.parts.client.write(bytes, this.onDrained)) this.waitsFor |= CLIENT
    return this.waitsFor === 0
  }

  /** Ends the answer with these bytes, and with its cost if that follows. */
  end(rest: Buffer | undefined): void {
    const { client, cost, request } = this.parts
    if (!request.response.destroyed) client.end(cost ? cost.finish(rest) : rest, cost?.trailers())
  }

  private readonly onMetered = (): void => this.goOn(METER)
  private readonly onDrained = (): void => this.goOn(CLIENT)

  private goOn(reason: number): void {
    const before = this.waitsFor
    this.waitsFor &= ~reason
    if (before !== 0 && this.waitsFor === 0) this.parts.resume()
  }
}

function flushHead(client: ClientResponse): void {
  client.flushHead()
}
