import { type Decimal, parseDecimal } from "../../core/decimal.ts"
import type { BillLine, RecordedLine } from "../../core/reconciliation.ts"
import { getOrSet } from "./_map.ts"
import { FEES, type Names } from "./_names.ts"

/** Who used something: the API key of the bill with the credential that it was matched with. */
export interface Owners {
  /** Undefined: the line names no owner, although others do, so that it can be of any. */
  ofBill(line: Pick<BillLine, "key" | "project">): string | undefined
  ofRecords(credential: string | undefined): string
}

/** The owner of everything that neither a name nor the traffic tells apart. */
export const SHARED = ""

/**
 * Matches the keys of a bill with the credentials of the records: first by the map of the settings, then by their traffic.
 * A key and a credential belong together if the tokens of a model on a day are equal in every bucket, most often so. What
 * stays without a match on both sides is compared together. A key that stays alone on the bill is outside the gateway.
 */
export function matchOwners(
  lines: readonly BillLine[],
  recorded: readonly RecordedLine[],
  { keys, names }: { readonly keys: ReadonlyMap<string, string>; readonly names: Names },
): Owners {
  const models = lines.filter(({ model }) => model !== undefined)
  const usage = models.filter(({ quantity }) => quantity !== undefined)
  const traffic = usage.length > 0 ? usage : models
  const namesKeys = lines.some(({ key }) => key !== undefined)
  const idOf = ({ key, project }: Pick<BillLine, "key" | "project">) => (namesKeys ? key : project)
  const ids = [...new Set(lines.map(idOf))].filter((id) => id !== undefined)
  const credentials = [...new Set(recorded.map(({ credential }) => credential ?? SHARED))]
  const matched = new Map<string, string>()
  for (const id of ids) if (keys.has(id)) matched.set(id, keys.get(id)!)
  const taken = new Set(matched.values())
  const open = {
    ids: ids.filter((id) => !matched.has(id)),
    credentials: credentials.filter((each) => !taken.has(each)),
  }
  const byId = toTraffic(traffic, idOf, names)
  const byCredential = toTraffic(recorded, ({ credential }) => credential ?? SHARED, names)
  for (const [id, credential] of matchTraffic(open, byId, byCredential)) matched.set(id, credential)
  const owned = new Set(matched.values())
  const restOfCredentials = new Set(credentials.filter((each) => !owned.has(each)))
  const restOfIds = new Set(ids.filter((id) => !matched.has(id)))
  const isShared =
    restOfCredentials.size > 0 && (restOfIds.size > 0 || traffic.some((line) => idOf(line) === undefined))
  return {
    ofBill(line) {
      const id = idOf(line)
      if (id === undefined) return ids.length > 0 ? undefined : SHARED
      return matched.get(id) ?? (isShared ? SHARED : id)
    },
    ofRecords: (credential = SHARED) => (isShared && restOfCredentials.has(credential) ? SHARED : credential),
  }
}

/** The text of what was used of a model on a day, for each day and model of an id. */
type Traffic = ReadonlyMap<string, ReadonlySet<string>>

type Used = Pick<BillLine, "day" | "model" | "tier" | "bucket" | "quantity" | "cost">

function toTraffic<Line extends Used>(
  lines: readonly Line[],
  idOf: (line: Line) => string | undefined,
  names: Names,
): Traffic {
  const sums = new Map<string, Map<string, Map<string, Decimal>>>()
  for (const line of lines) {
    const id = idOf(line)
    if (id === undefined || line.model === undefined) continue
    const model = names.model(line.model)
    const bucket = names.bucket(model, line.bucket)
    const used = parseDecimal(line.quantity ?? line.cost ?? "0")
    if (FEES.has(bucket) || used === 0n) continue
    const groups = getOrSet(sums, id, () => new Map<string, Map<string, Decimal>>())
    const group = getOrSet(
      groups,
      `${line.day} ${model} ${names.tier(model, line.tier)}`,
      () => new Map<string, Decimal>(),
    )
    group.set(bucket, (group.get(bucket) ?? 0n) + used)
  }
  return new Map(
    [...sums].map(([id, groups]) => [
      id,
      new Set([...groups].map(([group, buckets]) => `${group} ${[...buckets].map((each) => each.join("=")).sort()}`)),
    ]),
  )
}

/** Pairs ids with credentials, the pair with the most equal groups first. */
function* matchTraffic(
  { ids, credentials }: { readonly ids: readonly string[]; readonly credentials: readonly string[] },
  byId: Traffic,
  byCredential: Traffic,
): Generator<readonly [id: string, credential: string]> {
  const pairs = ids.flatMap((id) =>
    credentials.map((credential) => {
      const there = byCredential.get(credential)
      const equal = [...(byId.get(id) ?? [])].filter((group) => there?.has(group)).length
      return { id, credential, equal }
    }),
  )
  const taken = new Set<string>()
  for (const { id, credential, equal } of pairs.sort((a, b) => b.equal - a.equal)) {
    if (equal === 0 || taken.has(`id ${id}`) || taken.has(`credential ${credential}`)) continue
    taken.add(`id ${id}`).add(`credential ${credential}`)
    yield [id, credential]
  }
}
