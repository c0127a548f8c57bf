import { TRACE_NAME } from "../../operations/runs/list.ts"
import { printMessage } from "../_print.ts"

/** Requests are found by a metadata name through an index only while the name is active. */
export function printNotIndexed(): void {
  printMessage(
    `note: ${TRACE_NAME} is not active, so every request was read; to make this fast: metadata activate ${TRACE_NAME}`,
  )
}
