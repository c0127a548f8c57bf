/** The value of an attribute in OTLP's JSON. */
type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: unknown }
  | { readonly kvlistValue: unknown }
  | { readonly bytesValue: string }

export interface Attribute {
  readonly key: string
  readonly value: AnyValue
}

/** A number that is a cost or a time, and therefore a `doubleValue` even if it is whole. */
export class Double {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

type Value = string | number | boolean | Double | readonly string[] | undefined

/** Returns the attributes of those values that are known. Numbers are whole, except for a `Double`. */
export function toAttributes(values: Readonly<Record<string, Value>>): Attribute[] {
  const attributes: Attribute[] = []
  for (const key in values) {
    const value = values[key]
    if (value !== undefined) attributes.push({ key, value: toAnyValue(value) })
  }
  return attributes
}

function toAnyValue(value: NonNullable<Value>): AnyValue {
  if (typeof value === "string") return { stringValue: value }
  if (typeof value === "number") return { intValue: String(value) }
  if (typeof value === "boolean") return { boolValue: value }
  if (value instanceof Double) return { doubleValue: value.value }
  return { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } }
}
