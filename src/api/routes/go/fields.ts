import type { Key } from "../../../operations/keys/key.ts"

/** What stands for the id of an API key where metadata names are meant over all keys. */
export const ALL_KEYS = "all"

/** Adds the fields of an API key that only the Go gateway has. */
export function addKeyFields<K extends Key>(key: K) {
  // Every request goes to the model that it names.
  return { ...key, is_active: key.status === "active", deprecated_model_behavior: "passthrough" }
}
