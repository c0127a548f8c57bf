import type { LimitDefinition } from "../../config/limits.ts"
import type { Settings } from "../../config/settings.ts"
import { GATEWAY_ACTOR } from "../../core/actor.ts"
import { CommandError } from "../../core/errors.ts"
import type { Limit } from "../../core/limit.ts"
import type { Database, RunQuery } from "../../database/_database.ts"
import { recordChange } from "../../database/access/audit.ts"
import { listKeys } from "../../database/keys.ts"
import { lockConfiguredLimits } from "../../database/limit-lock.ts"
import { deleteLimit, insertLimit, listLimits, updateLimit } from "../../database/limits.ts"
import { resolveLimit } from "./input.ts"
import { type KeyNames, readKeyNames, toLimitObject } from "./limit.ts"
import { findDifference } from "./update.ts"

/**
 * Makes the stored limits of the configuration equal to it, by their names. A limit of the same name that was created in
 * another way becomes one of the configuration. Without the setting `limits` nothing changes.
 *
 * @param warn takes a line for each limit that cannot be used, such as one of an API key that does not exist
 */
export async function syncConfiguredLimits(
  database: Database,
  settings: Pick<Settings, "limits" | "providers">,
  warn: (line: string) => void,
): Promise<void> {
  const { limits: configured } = settings
  if (configured === undefined) return noteForeignLimits(await listLimits(database), warn)
  const names = await readKeyNames(database)
  const keys = await listKeys(database)
  await database.transaction(async (query) => {
    await lockConfiguredLimits(query)
    const stored = new Map((await listLimits({ query })).map((limit) => [limit.name, limit]))
    for (const definition of configured) {
      const before = stored.get(definition.name)
      stored.delete(definition.name)
      const limit = resolveOrWarn(
        () => resolveLimit(definition, { keys, settings }),
        (reason) => warn(describeUnresolved(definition, before, reason, names)),
      )
      if (limit !== undefined) await putLimit(query, before, limit, names)
    }
    for (const limit of stored.values()) if (limit.source === "config") await removeLimit(query, limit, names)
  })
}

function noteForeignLimits(limits: readonly Limit[], warn: (line: string) => void): void {
  const configured = limits.filter(({ source }) => source === "config").map(({ name }) => JSON.stringify(name))
  if (configured.length === 0) return
  warn(
    `limits: the database has limits of another gateway's configuration (${configured.join(", ")}), and this gateway has no setting limits; they stay. To remove them, set limits: []`,
  )
}

function resolveOrWarn(resolve: () => LimitDefinition, warn: (reason: string) => void): LimitDefinition | undefined {
  try {
    return resolve()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    warn(error.message)
    return undefined
  }
}

/** A limit whose key has another name now goes on for this key, because the database has its id. */
function describeUnresolved(
  { name }: LimitDefinition,
  before: Limit | undefined,
  reason: string,
  names: KeyNames,
): string {
  const key = before?.key === undefined ? "" : ` for the key ${JSON.stringify(names.get(before.key) ?? before.key)}`
  const stays = before === undefined ? "" : ` The limit that is stored under this name stays${key}.`
  return `limits: ${JSON.stringify(name)} is not applied: ${reason}.${stays} Correct it, and restart`
}

async function putLimit(query: RunQuery, before: Limit | undefined, limit: LimitDefinition, names: KeyNames) {
  const change = async (action: string, after: Limit | undefined) => {
    const shown = before && toLimitObject(before, names)
    const change = { action, target: after!.id, before: shown, after: toLimitObject(after!, names) }
    await recordChange(query, GATEWAY_ACTOR, change)
  }
  if (before === undefined) {
    return change("limits.create", await insertLimit(query, { ...limit, source: "config" }))
  }
  const difference = {
    ...findDifference(before, limit),
    ...(before.source !== "config" && { source: "config" as const }),
  }
  if (Object.keys(difference).length > 0) await change("limits.update", await updateLimit(query, before.id, difference))
}

async function removeLimit(query: RunQuery, limit: Limit, names: KeyNames): Promise<void> {
  await deleteLimit(query, limit.id)
  const before = toLimitObject(limit, names)
  await recordChange(query, GATEWAY_ACTOR, { action: "limits.delete", target: limit.id, before })
}
