import { DIMENSIONS, type Dimension, metadataDimension, type RollupState, type Value } from "../../reports/index.ts"

/** The names by which nearly every installation divides its requests. They come before the rest. */
const FIRST = ["Feature", "Team", "Project", "User-Id"]
const MOST = 3

/** Returns the active metadata names by which spend is divided in notifications, at most three. */
export function pickNames({ summed, numerous }: Pick<RollupState, "summed" | "numerous">): readonly Dimension[] {
  const rank = (name: string) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length)
  return [...summed]
    .filter((name) => !numerous.has(name))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .slice(0, MOST)
    .map(metadataDimension)
}

/** The dimensions of every request. */
export const KEY = DIMENSIONS["key"]!
export const MODEL = DIMENSIONS["model"]!
export const PROVIDER = DIMENSIONS["provider"]!

/** Returns the value of a group for people: requests without a value are a group too. */
export function toValue(value: Value | undefined): string {
  return value === null || value === undefined ? "(none)" : String(value)
}
