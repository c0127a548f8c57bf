import type { DescriptionReader } from "../_description.ts"
import { objectOf } from "../_values.ts"

const MESSAGE = { id: true, stop_reason: true } as const

/** Reads the id of a message and why it ended. The events that have them state usage, so that they are read in any case. */
export const DESCRIPTION: DescriptionReader = {
  shape: { ...MESSAGE, message: MESSAGE, delta: { stop_reason: true } },
  read(document, description) {
    const message = objectOf(document["message"]) ?? document
    description.addId(message["id"])
    description.addReason(message["stop_reason"] ?? objectOf(document["delta"])?.["stop_reason"])
  },
}
