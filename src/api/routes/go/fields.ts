import type { Key } from "../../../operations/keys/key.ts"
import type { MetadataName } from "../../../operations/metadata/list.ts"

/** What stands for the id of an API key where metadata names are meant over all keys. */
export const ALL_KEYS = "all"

/** Adds the fields of an API key that only the Go gateway has. */
export function addKeyFields<K extends Key>(key: K) {
  // Every request goes to the model that it names.
  return { ...key, is_active: key.status === "active", deprecated_model_behavior: "passthrough" }
}

/** Adds the fields of a metadata name that only the Go gateway has. It lists the names of each key, and we list them over all. */
export function addNameFields(name: MetadataName) {
  return {
    ...name,
    majordomo_api_key_id: ALL_KEYS,
    api_key_name: "(all)",
    key_name: name.name,
    key_type: "string",
    is_required: false,
    is_active: name.active !== "none",
    request_count: name.requests,
    approx_cardinality: name.distinct_values ?? 0,
  }
}
