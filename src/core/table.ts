/**
 * Creates a table in which texts of clients and providers are looked up. It has its own entries and nothing else: an object
 * literal also finds `constructor` and `__proto__`, which clients can send as the name of a model.
 */
export function createTable<Value>(entries: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return Object.assign(Object.create(null) as Record<string, Value>, entries)
}
