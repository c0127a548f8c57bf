import { type LimitDefinition, toLimitFields } from "../../config/limits.ts"
import { CommandError, ConflictError } from "../../core/errors.ts"
import type { Limit } from "../../core/limit.ts"
import { recordChange } from "../../database/access/audit.ts"
import { listKeys } from "../../database/keys.ts"
import { deleteLimit as deleteStored, findLimit, updateLimit as updateStored } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { readListedLimit } from "./create.ts"
import { requireLimit } from "./find.ts"
import { type LimitInput, parseLimitInput, resolveLimit } from "./input.ts"
import { type LimitObject, type ListedLimit, readKeyNames, toLimitObject, toListedLimit } from "./limit.ts"

interface LimitChange {
  /** The id or the name of the limit. */
  readonly id: string
  /** The fields that change. A filter that is null or empty is removed. */
  readonly changes: LimitInput
  /** Only checks the change, and returns what the limit would become. */
  readonly isDryRun: boolean
}

/**
 * Changes a limit. Nothing that was used is forgotten: if other requests count from now on, they are counted again.
 *
 * @throws CommandError if nothing is to be changed
 * @throws InputError if a field is not valid
 * @throws NotFoundError if there is no such limit
 * @throws ConflictError if it belongs to the configuration, or the new name is taken
 */
export async function updateLimit(
  { database, settings, actor, now }: Context<"database" | "settings" | "actor" | "now">,
  { id, changes, isDryRun }: LimitChange,
): Promise<ListedLimit> {
  if (Object.values(changes).every((value) => value === undefined)) {
    throw new CommandError("nothing to change: give an amount, a window, a filter or another field", 2)
  }
  const keys = await listKeys(database)
  const names = await readKeyNames(database)
  return database.transaction(async (query) => {
    const before = await requireLimit({ query }, id)
    rejectConfigured(before)
    const after = resolveLimit(parseLimitInput(merge(before, changes)), { keys, settings })
    const namesake = after.name === before.name ? undefined : await findLimit({ query }, after.name)
    if (namesake !== undefined)
      throw new ConflictError(`there is already a limit called ${JSON.stringify(after.name)}: choose another name`)
    if (isDryRun) return toListedLimit({ ...before, ...after }, undefined, names)
    const difference = findDifference(before, after)
    if (Object.keys(difference).length === 0) return readListedLimit({ query }, before, now(), names)
    const changed = (await updateStored(query, before.id, difference))!
    await recordChange(query, actor, {
      action: "limits.update",
      target: before.id,
      before: toLimitObject(before, names),
      after: toLimitObject(changed, names),
    })
    return readListedLimit({ query }, changed, now(), names)
  })
}

/**
 * Deletes a limit. Requests that run under it end as usual.
 *
 * @throws NotFoundError if there is no such limit
 * @throws ConflictError if it belongs to the configuration
 */
export async function deleteLimit(
  { database, actor }: Context<"database" | "actor">,
  { id }: { readonly id: string },
): Promise<LimitObject> {
  const names = await readKeyNames(database)
  return database.transaction(async (query) => {
    const limit = await requireLimit({ query }, id)
    rejectConfigured(limit)
    await deleteStored(query, limit.id)
    const before = toLimitObject(limit, names)
    await recordChange(query, actor, { action: "limits.delete", target: limit.id, before })
    return before
  })
}

/** Returns the fields of a changed limit. A limit that now counts running requests has no window. */
function merge(before: Limit, changes: LimitInput): LimitInput {
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
  const window = changes["measure"] === "concurrency" && before.measure !== "concurrency" ? { window: null } : {}
  const { id, source, ...definition } = before
  return { ...toLimitFields(definition), ...window, ...given }
}

/** Returns the fields that differ. */
export function findDifference(before: LimitDefinition, after: LimitDefinition): Partial<LimitDefinition> {
  const fields = Object.keys(after) as (keyof LimitDefinition)[]
  const differs = (field: keyof LimitDefinition) => toComparable(before[field]) !== toComparable(after[field])
  return Object.fromEntries(fields.filter(differs).map((field) => [field, after[field]]))
}

/** The database may return the names of metadata in another order. */
function toComparable(value: unknown): string | undefined {
  const isTable = typeof value === "object" && value !== null && !Array.isArray(value)
  return JSON.stringify(isTable ? Object.entries(value).sort() : value)
}

function rejectConfigured({ name, source }: Limit): void {
  if (source !== "config") return
  throw new ConflictError(
    `the limit ${JSON.stringify(name)} stands in the configuration of the gateway: change it there (limits), and restart`,
  )
}
