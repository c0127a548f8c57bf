/** Returns the median, 0 for no values. Sorts the values in place. */
export function median(values: number[]): number {
  if (values.length === 0) return 0
  values.sort((a, b) => a - b)
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}

/** The standard deviation of normal values is so many times their median absolute deviation. */
export const DEVIATION_SCALE = 1.4826
