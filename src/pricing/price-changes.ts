import { isDeepStrictEqual } from "node:util"
import { bundledRow, changesOf } from "./bundled.ts"
import type { Lookup, Sources } from "./lookup.ts"
import type { Row } from "./row.ts"

/** The prices of a model in one source from a time on. */
export interface PriceChange {
  /** The id of the catalog's provider that lists the model. */
  readonly provider: string
  readonly model: string
  readonly source: Row["source"]
  /** Milliseconds since the epoch; undefined for the first prices that are known. */
  readonly since: number | undefined
  /** The prices; undefined if the source no longer lists the model. */
  readonly row: Row | undefined
}

/** The price of a model in one source at any time. */
interface Timeline {
  readonly times: readonly number[]
  rowAt(at: number): Row | undefined
}

/** Lists how the prices of a model changed in each source, at one provider or at each that has it. */
export function listChanges(
  lookup: Lookup,
  sources: Sources,
  { provider, model }: { readonly provider: string | undefined; readonly model: string },
): readonly PriceChange[] {
  const providers = provider === undefined ? [...sources.catalog().keys()] : [provider]
  const seen = new Set<string>()
  return providers.flatMap((each) => {
    const { owner, match, listNames } = lookup.identify(each, model)
    const id = match?.model.id ?? listNames[0] ?? model
    if (owner === undefined || seen.has(`${owner}/${id}`)) return []
    seen.add(`${owner}/${id}`)
    return timelinesOf(sources, owner, { match, listNames }).flatMap((timeline) =>
      toChanges(timeline).map((change) => ({ provider: owner, model: id, ...change })),
    )
  })
}

function timelinesOf(
  { listed, litellm }: Sources,
  owner: string,
  { match, listNames }: Pick<ReturnType<Lookup["identify"]>, "match" | "listNames">,
): readonly Timeline[] {
  const list = listed()
  const map = litellm()
  const name = listNames.find((each) => (list?.changesOf(owner, each) ?? []).length > 0)
  const mapName = listNames.find((each) => (map?.changesOf(owner, each) ?? []).length > 0)
  return [
    ...(list && name !== undefined
      ? [{ times: list.changesOf(owner, name), rowAt: (at: number) => list.find(owner, name, at) }]
      : []),
    ...(match ? [{ times: changesOf(match.model), rowAt: (at: number) => bundledRow(match.model, at).row }] : []),
    ...(map && mapName !== undefined
      ? [{ times: map.changesOf(owner, mapName), rowAt: (at: number) => map.find(owner, [mapName], at) }]
      : []),
  ]
}

/** The first prices of a source apply from an unknown time on. */
function toChanges({ times, rowAt }: Timeline): readonly Pick<PriceChange, "source" | "since" | "row">[] {
  const changes: Pick<PriceChange, "source" | "since" | "row">[] = []
  for (const time of [...new Set(times)].sort((a, b) => a - b)) {
    const row = rowAt(time)
    const last = changes.at(-1)
    const isSame = last?.row && row && hasSameRates(last.row, row)
    if (last === undefined && row === undefined) continue
    if (!isSame) changes.push({ source: row?.source ?? last!.source, since: time > 0 ? time : undefined, row })
  }
  return changes
}

function hasSameRates(a: Row, b: Row): boolean {
  return isDeepStrictEqual(a.base, b.base) && isDeepStrictEqual(a.tiers, b.tiers)
}
