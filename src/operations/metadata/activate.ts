import { recordChange } from "../../database/access/audit.ts"
import { backfillName } from "../../database/backfill.ts"
import { activateName, type NameChoice } from "../../database/metadata.ts"
import { dropIdleIndexes } from "../../database/name-index.ts"
import type { Context } from "../context.ts"

interface ActivatedName {
  readonly name: string
  readonly key: string | null
  readonly active: true
  /** Earlier requests with the name that were indexed. They are not if the name is active for some keys only. */
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
  // An index of an earlier activation lacks the requests that were written since.
  await dropIdleIndexes(database)
  const after = { key: choice.key ?? null, active: true }
  await activateName(database, choice, (query) =>
    recordChange(query, actor, { action: "metadata.activate", target: choice.name, after }),
  )
  const indexed = await backfillName(database, choice.name, onProgress)
  return { name: choice.name, key: choice.key ?? null, active: true, indexed }
}
