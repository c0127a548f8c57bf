import { TRACE_NAME } from "../../operations/runs/list.ts"
import { printMessage } from "../_print.ts"

/** Prints how to make a report of runs fast. Only an active metadata name has an index. */
export function printNotIndexed(): void {
  printMessage(
    `note: ${TRACE_NAME} is not active, so every request was read; to make this fast: metadata activate ${TRACE_NAME}`,
  )
}
