import { printMessage } from "../_print.ts"

/** Prints what a reader of a report has to know, one line each. */
export function printNotes(notes: readonly string[] = []): void {
  for (const note of notes) printMessage(`note: ${note}`)
}
