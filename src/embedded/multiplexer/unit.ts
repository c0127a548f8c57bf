import type { StatementKind } from "./statement-kind.ts"
import { ProtocolError } from "./wire.ts"

/** The messages of a client that the backend runs in one go, up to a Query, Sync, Flush or FunctionCall. */
export interface Unit {
  readonly messages: readonly Buffer[]
  readonly bytes: number
  readonly kinds: readonly StatementKind[]
  /** The statements that it uses but does not make, each with the Parse message that makes it. */
  readonly uses: ReadonlyMap<string, Buffer | undefined>
  readonly makes: readonly string[]
  readonly drops: readonly string[]
  /** It ends with Flush, so no ReadyForQuery follows. */
  readonly flushes: boolean
  /** The client already received a CopyInResponse, so the backend's own must be dropped. */
  readonly copies: boolean
}

/** The most that one client may have waiting in one unit. The rows of a COPY FROM STDIN are collected in one unit. */
const MAX_UNIT_BYTES = 128 * 1024 * 1024

/** A unit that is being collected. */
export class DraftUnit implements Unit {
  readonly messages: Buffer[] = []
  bytes = 0
  readonly kinds: StatementKind[] = []
  readonly uses = new Map<string, Buffer | undefined>()
  readonly makes: string[] = []
  readonly drops: string[] = []
  flushes = false
  copies = false

  /** Adds a message. Throws `ProtocolError` when the unit becomes too large. */
  add(message: Buffer): void {
    this.bytes += message.length
    if (this.bytes > MAX_UNIT_BYTES) {
      throw new ProtocolError(`more than ${MAX_UNIT_BYTES / 1024 / 1024} MB at once; send it in smaller pieces`)
    }
    this.messages.push(message)
  }

  /** Notes that the unit uses a statement, unless the unit itself makes it. */
  use(name: string, parse: Buffer | undefined): void {
    if (!this.makes.includes(name) && !this.uses.has(name)) this.uses.set(name, parse)
  }
}
