import { CommandError } from "../../core/errors.ts"
import type { Database } from "../_database.ts"
import { readEndpoint } from "./endpoint.ts"
import { joinEmbedded } from "./owner.ts"
import { createReopening } from "./reopening.ts"

/** A client of a running gateway's database. Of no command's, which would have to wait for us before it can end. */
export function openAsGuest(dataDir: string): Promise<Database> {
  return createReopening(async () => {
    if (readEndpoint(dataDir)?.role === "serve") {
      const joined = await joinEmbedded(dataDir).catch(() => undefined)
      if (joined) return joined
    }
    throw new CommandError(
      `no gateway runs on the embedded database in ${dataDir}: start one in another terminal with majordomo-gateway serve`,
    )
  })
}
