import { join } from "node:path"
import { countPendingRows } from "../../database/pending-rows.ts"
import type { Context } from "../context.ts"

/** Returns how many rows wait in the journals of this data directory; 0 if this machine or user cannot read them. */
export async function findPendingRows({ database, settings }: Context<"database" | "settings">): Promise<number> {
  try {
    return await countPendingRows(database, join(settings.storage.dataDir, "journal"))
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === "string") return 0
    throw error
  }
}
