import { CommandError } from "../core/errors.ts"
import type { Database } from "../database/_database.ts"
import { readEndpoint } from "./endpoint.ts"
import { joinEmbedded } from "./owner.ts"

/** A client of a running gateway's database. Of no command's, which would have to wait for us before it can end. */
export async function openAsGuest(dataDir: string): Promise<Database> {
  const isServed = readEndpoint(dataDir)?.role === "serve"
  const joined = isServed ? await joinEmbedded(dataDir).catch(() => undefined) : undefined
  if (joined) return joined
  throw new CommandError(
    `no gateway runs on the embedded database in ${dataDir}: start one in another terminal with majordomo-gateway serve`,
  )
}
