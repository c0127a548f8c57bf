import { findPendingRows } from "../../operations/usage/pending-rows.ts"
import { printMessage } from "../_print.ts"
import { withThousands } from "../_text.ts"

/** Prints how many rows wait in the journal, so that a report does not list them, and returns the number. */
export async function notePendingRows(context: Parameters<typeof findPendingRows>[0]): Promise<number> {
  const rows = await findPendingRows(context)
  if (rows > 0) {
    const noun = rows === 1 ? "1 row waits" : `${withThousands(rows)} rows wait`
    const { dataDir } = context.settings.storage
    printMessage(
      `note: ${noun} in the journal in ${dataDir} and will be counted when a running gateway has written them`,
    )
  }
  return rows
}
