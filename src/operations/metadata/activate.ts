import { recordChange } from "../../database/access/audit.ts"
import { backfillName } from "../../database/backfill.ts"
import { activateName, type NameChoice } from "../../database/metadata.ts"
import type { Context } from "../context.ts"

interface ActivatedName {
  readonly name: string
  readonly key: string | null
  readonly active: true
  /** Earlier requests that were added to the index. */
  readonly indexed: number
}

/**
 * Activates a metadata name: requests with it are indexed and added to the rollups, earlier ones included, so that
 * reports by the name are fast.
 *
 * @throws CommandError if no API key is called `key`
 */
export async function activateMetadata(
  { database, actor, onProgress }: Context<"database" | "actor" | "onProgress">,
  choice: NameChoice,
): Promise<ActivatedName> {
  const after = { key: choice.key ?? null, active: true }
  await activateName(database, choice, (query) =>
    recordChange(query, actor, { action: "metadata.activate", target: choice.name, after }),
  )
  const indexed = await backfillName(database, choice.name, onProgress)
  return { name: choice.name, key: choice.key ?? null, active: true, indexed }
}
