/** The bounds of a memory whose texts strangers may send. */
interface MemoryBounds {
  readonly entries: number
  /** The longest text that is remembered, in UTF-16 code units. */
  readonly length: number
}

/** Returns the function with a memory of its results by text. When it is full, everything is forgotten. */
export function remember<T extends NonNullable<unknown>>(
  find: (text: string) => T,
  { entries, length }: MemoryBounds,
): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const remembered = known.get(text)
    if (remembered !== undefined) return remembered
    const found = find(text)
    if (text.length > length) return found
    if (known.size >= entries) known.clear()
    known.set(text, found)
    return found
  }
}
