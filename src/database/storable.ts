/** Returns a text that PostgreSQL can store: it has neither U+0000 nor half of a surrogate pair. */
export function toStorable(text: string): string {
  return Buffer.from(text.replaceAll("\0", "\ufffd")).toString()
}

/** Returns the JSON of a value, all of whose texts PostgreSQL can store. */
export function toStorableJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === "string" ? toStorable(each) : each))
}
