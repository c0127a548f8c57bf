/** A map of limited size. When it is full, the entry that was used the longest time ago is removed. */
interface LruMap<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  delete(key: string): void
  clear(): void
}

export function createLruMap<T>(maxEntries: number): LruMap<T> {
  const entries = new Map<string, T>()
  /** The last key of the map, which need not be moved to the end. */
  let newest: string | undefined

  function moveToEnd(key: string, value: T): void {
    entries.delete(key)
    entries.set(key, value)
    newest = key
  }

  return {
    get: (key) => {
      const value = entries.get(key)
      if (value !== undefined && key !== newest) moveToEnd(key, value)
      return value
    },
    set: (key, value) => {
      moveToEnd(key, value)
      if (entries.size > maxEntries) entries.delete(entries.keys().next().value as string)
    },
    delete: (key) => {
      entries.delete(key)
    },
    clear: () => entries.clear(),
  }
}
