/** THOROUGH=1 asks every question and repeats every attempt of the tests that otherwise try a part of them. */
export const isThorough = process.env["THOROUGH"] === "1"

/** Returns every nth of the items from `first` on, or all of them with THOROUGH=1. */
export function everyNth<T>(items: readonly T[], n: number, first: number): readonly T[] {
  return isThorough ? items : items.filter((_, index) => index % n === first % n)
}
