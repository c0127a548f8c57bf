import type { Limit } from "../../core/limit.ts"
import type { RunQuery } from "../../database/_database.ts"
import { deleteLimit, insertLimit, listLimits, updateLimit } from "../../database/limits.ts"
import { InputError } from "../input-error.ts"

/** The usual limits of one key as a person wrote them: an amount, or `none`. A member that is undefined stays as it is. */
interface KeyLimitsInput {
  /** In USD per window: `50/month`. */
  readonly budget?: string | undefined
  /** Requests per minute. */
  readonly rpm?: string | undefined
  /** Input and output tokens per minute. */
  readonly tpm?: string | undefined
  /** Requests that run at the same time. */
  readonly concurrency?: string | undefined
}

type Kind = keyof KeyLimitsInput

/** A change of one of these limits; `amount` is undefined if it is removed. */
export interface KeyLimitChange extends Pick<Limit, "measure" | "window"> {
  readonly kind: Kind
  readonly amount: string | undefined
}

const KINDS = {
  budget: { measure: "cost", window: "month" },
  rpm: { measure: "requests", window: "minute" },
  tpm: { measure: "tokens", window: "minute" },
  concurrency: { measure: "concurrency", window: "total" },
} as const satisfies Record<Kind, Pick<Limit, "measure" | "window">>

/**
 * Parses the limits of a key; undefined: nothing is given.
 *
 * @throws InputError for a value that is not valid
 */
export function parseKeyLimits(input: KeyLimitsInput): readonly KeyLimitChange[] | undefined {
  const changes = (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
    const text = input[kind]?.trim()
    if (text === undefined) return []
    const given =
      text === "none" || text === ""
        ? { amount: undefined }
        : kind === "budget"
          ? parseBudget(text)
          : parseCount(kind, text)
    return [{ kind, ...KINDS[kind], ...given }]
  })
  return changes.length === 0 ? undefined : changes
}

function parseBudget(text: string): Pick<Limit, "amount" | "window"> {
  const [, amount, window] = /^\$?(\d{1,12}(?:\.\d{1,9})?)\s*\/\s*(minute|hour|day|week|month|total)$/.exec(text) ?? []
  if (amount !== undefined) return { amount, window: window as Limit["window"] }
  throw new InputError(
    "budget",
    `expected USD per minute, hour, day, week, month or total, such as 50/month, or none, got ${JSON.stringify(text.slice(0, 60))}`,
  )
}

function parseCount(kind: Kind, text: string): Pick<Limit, "amount"> {
  if (/^[1-9]\d{0,14}$/.test(text)) return { amount: text }
  throw new InputError(kind, `expected a whole number such as 60, or none, got ${JSON.stringify(text.slice(0, 60))}`)
}

/** Creates, changes and removes limits of a key. The caller holds the lock of the rollups, or has just created the key. */
export async function applyKeyLimits(query: RunQuery, key: KeyName, changes: readonly KeyLimitChange[]): Promise<void> {
  for (const { kind, measure, amount, window } of changes) {
    const limits = await listLimits({ query })
    const found = limits.find((limit) => limit.key === key.id && limit.measure === measure && isOf(kind, limit))
    if (found !== undefined && amount === undefined) await deleteLimit(query, found.id)
    else if (found !== undefined) await updateLimit(query, found.id, { amount: amount!, window })
    else if (amount !== undefined) {
      await insertLimit(query, { name: toFreeName(kind, key, limits), measure, amount, window, key: key.id })
    }
  }
}

/** Renames the limits that were made here and have the name of their key. They count the key by its id, whatever its name is. */
export async function renameKeyLimits(query: RunQuery, before: KeyName, after: KeyName): Promise<void> {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const limits = await listLimits({ query })
    const names = toNames(kind, before)
    for (const { id } of limits.filter(
      (limit) => limit.key === before.id && isOf(kind, limit) && names.includes(limit.name),
    ))
      await updateLimit(query, id, { name: toFreeName(kind, after, limits) })
  }
}

type KeyName = { readonly id: string; readonly name: string }

/** Whether a limit was made here. Others of the same key, with more filters or of the configuration, are left alone. */
function isOf(kind: Kind, { name, provider, model, where, per, action, source }: Limit): boolean {
  const isPlain = [provider, model, where, per].every((filter) => filter === undefined)
  return isPlain && action === "block" && source === "database" && name.endsWith(` ${kind}`)
}

/** Keys can have the same name, and limits cannot. */
function toFreeName(kind: Kind, key: KeyName, limits: readonly Limit[]): string {
  const [name, longer] = toNames(kind, key)
  return limits.some((limit) => limit.name === name) ? longer : name
}

function toNames(kind: Kind, { id, name }: KeyName): readonly [name: string, longer: string] {
  const start = [...name].slice(0, 200).join("")
  return [`${start} ${kind}`, `${start} (${id.slice(0, 8)}) ${kind}`]
}
