import { MAX_COUNT, type UnitKinds, type Units } from "../core/usage.ts"
import { type JsonObject, listOf, objectOf, textOf } from "./_values.ts"

/** The pieces that are billed and stand in no usage. A row keeps it in `billed_beside`, so its names never change. */
export interface Pieces {
  readonly pieces: Units
  readonly kinds?: UnitKinds
  readonly missing?: readonly string[]
}

export const FILM_NOT_MADE: readonly string[] = ["a film is billed only if it is made"]

const PIECES = ["images", "characters", "videoSeconds", "pages"] as const

/** Returns the pieces that a row or an answer keeps; undefined: none. Rows of earlier versions have only `images`. */
export function readKept(beside: JsonObject | undefined): Pieces | undefined {
  if (!beside) return undefined
  const { images } = beside
  const counts = objectOf(beside["pieces"]) ?? (images === undefined ? undefined : { images })
  if (!counts) return undefined
  const stated = objectOf(beside["kinds"])
  const pieces: { -readonly [K in keyof Units]: Units[K] } = {}
  const kinds: { -readonly [K in keyof Units]: string } = {}
  for (const name of PIECES) {
    const count = counts[name]
    if (typeof count !== "number" || !(count > 0 && count <= MAX_COUNT)) continue
    pieces[name] = count
    const kind = textOf(stated?.[name])
    if (kind !== undefined) kinds[name] = kind
  }
  if (Object.keys(pieces).length === 0) return undefined
  const missing = listOf(beside["missing"])
    .map(textOf)
    .filter((reason) => reason !== undefined)
  return {
    pieces,
    ...(Object.keys(kinds).length > 0 ? { kinds } : {}),
    ...(missing.length > 0 ? { missing } : {}),
  }
}
