import type { DescriptionReader } from "../_description.ts"
import { parseObject } from "./documents.ts"

/** Reads why an answer ended. Only Claude's own messages have an id, and `Converse` has none. */
export const DESCRIPTION: DescriptionReader = {
  shape: { id: true, stop_reason: true, stopReason: true },
  read(document, description) {
    description.addId(document["id"])
    description.addReason(document["stopReason"] ?? document["stop_reason"])
  },
  readAwsEvent({ type, payload }, description) {
    if (type === "messageStop") description.addReason(parseObject(payload)?.["stopReason"])
  },
}
