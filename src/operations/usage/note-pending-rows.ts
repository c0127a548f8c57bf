import { findPendingRows } from "./pending-rows.ts"

/** Says how many rows wait in the journal, so that a report does not list them, and returns the number. */
export async function notePendingRows(
  context: Parameters<typeof findPendingRows>[0] & { log(line: string): void },
): Promise<number> {
  const rows = await findPendingRows(context)
  if (rows > 0) {
    const noun = rows === 1 ? "1 row waits" : `${rows.toLocaleString("en-US")} rows wait`
    const { dataDir } = context.settings.storage
    context.log(
      `note: ${noun} in the journal in ${dataDir} and will be counted when a running gateway has written them`,
    )
  }
  return rows
}
