import type { Reading } from "../core/usage.ts"
import type { Meter } from "../providers/_meter.ts"

const MAX_BYTES = 64 * 1024

/** A meter that keeps the decoded text of an error answer too: for the row's message, and to see what was refused. */
export interface ErrorBodyMeter extends Meter {
  readonly text: Buffer
}

export function createErrorBodyMeter(meter: Meter | undefined, emptyReading: () => Reading): ErrorBodyMeter {
  let text: Buffer = Buffer.alloc(0)
  return {
    get text() {
      return text
    },
    push(bytes) {
      if (text.length < MAX_BYTES) text = Buffer.concat([text, bytes])
      meter?.push(bytes)
    },
    end: (options) => meter?.end(options) ?? emptyReading(),
  }
}
