import type { LimitDefinition } from "../../config/limits.ts"
import { ConflictError } from "../../core/errors.ts"
import type { Limit } from "../../core/limit.ts"
import { recordChange } from "../../database/access/audit.ts"
import { listKeys } from "../../database/keys.ts"
import { findLimit, insertLimit, readLimitStates } from "../../database/limits.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { resolveLimit } from "./input.ts"
import { type ListedLimit, readKeyNames, toLimitObject, toListedLimit } from "./limit.ts"

interface NewLimitInput {
  readonly definition: LimitDefinition
  /** Only checks the limit, and returns what would be created. */
  readonly isDryRun: boolean
}

/**
 * Creates a limit. What its present window has used already counts. In a database without tables it creates the schema first
 * if `storage.auto_migrate` allows it.
 *
 * @throws InputError if the key or the provider does not exist
 * @throws ConflictError if the name is taken
 */
export async function createLimit(
  { database, settings, actor, now, log }: Context<"database" | "settings" | "actor" | "now" | "log">,
  { definition, isDryRun }: NewLimitInput,
): Promise<ListedLimit> {
  if (settings.storage.autoMigrate && (await readSchemaState(database.query)).kind === "none") {
    await migrate(database, log)
  }
  const limit = resolveLimit(definition, { keys: await listKeys(database), settings })
  const names = await readKeyNames(database)
  if ((await findLimit(database, limit.name)) !== undefined) throw toNameTaken(limit.name)
  if (isDryRun) return toListedLimit({ ...limit, id: "", source: "database" }, undefined, names)
  return database.transaction(async (query) => {
    const created = await insertLimit(query, { ...limit, source: "database" })
    await recordChange(query, actor, {
      action: "limits.create",
      target: created.id,
      after: toLimitObject(created, names),
    })
    return readListedLimit({ query }, created, now(), names)
  })
}

/** Returns a limit with its use; one with `per`, with the use of the value that has used most. */
export async function readListedLimit(
  database: Pick<Context<"database">["database"], "query">,
  limit: Limit,
  at: number,
  names: ReadonlyMap<string, string>,
): Promise<ListedLimit> {
  const [state] = await readLimitStates(database, { at, limit: limit.id, top: 1 })
  return toListedLimit(limit, state, names)
}

function toNameTaken(name: string): ConflictError {
  return new ConflictError(`there is already a limit called ${JSON.stringify(name)}: choose another name`)
}
