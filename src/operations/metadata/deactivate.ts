import { recordChange } from "../../database/access/audit.ts"
import { deactivateName, type NameChoice } from "../../database/metadata.ts"
import { dropIdleIndexes } from "../../database/name-index.ts"
import type { Context } from "../context.ts"

interface DeactivatedName {
  readonly name: string
  readonly key: string | null
  readonly active: false
}

/**
 * Deactivates a metadata name: new requests are no longer indexed by it. The requests keep the metadata.
 *
 * @throws CommandError if the name is not active
 */
export async function deactivateMetadata(
  { database, actor }: Context<"database" | "actor">,
  choice: NameChoice,
): Promise<DeactivatedName> {
  const after = { key: choice.key ?? null, active: false }
  await deactivateName(database, choice, (query) =>
    recordChange(query, actor, { action: "metadata.deactivate", target: choice.name, after }),
  )
  await dropIdleIndexes(database)
  return { name: choice.name, key: choice.key ?? null, active: false }
}
