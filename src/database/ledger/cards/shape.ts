import { replaceUnstorable } from "../unstorable.ts"

/** The form of a JSON value without its numbers. 0 is part of the form, because most objects of usage have many zeros. */
export type Shape =
  | { readonly kind: "number" }
  | { readonly kind: "literal"; readonly value: unknown }
  | { readonly kind: "array"; readonly shapes: readonly Shape[] }
  | { readonly kind: "object"; readonly names: readonly string[]; readonly shapes: readonly Shape[] }

/** Returns the form of a value that `JSON.parse` returned. */
export function shapeOf(value: unknown): Shape {
  if (typeof value === "number" && value !== 0) return { kind: "number" }
  if (typeof value !== "object" || value === null) return { kind: "literal", value }
  if (Array.isArray(value)) return { kind: "array", shapes: value.map(shapeOf) }
  return { kind: "object", names: Object.keys(value), shapes: Object.values(value).map(shapeOf) }
}

/** Returns whether a value has a form. Its numbers are added to `numbers`, in the order in which they stand in it. */
export function readNumbers(shape: Shape, value: unknown, numbers: unknown[]): boolean {
  if (shape.kind === "number") {
    numbers.push(value)
    return typeof value === "number" && value !== 0 && Number.isFinite(value)
  }
  if (shape.kind === "literal") return value === shape.value
  if (typeof value !== "object" || value === null) return false
  const { shapes } = shape
  if (shape.kind === "array") {
    if (!Array.isArray(value) || value.length !== shapes.length) return false
    for (let i = 0; i < shapes.length; i++) if (!readNumbers(shapes[i]!, value[i], numbers)) return false
    return true
  }
  if (Array.isArray(value)) return false
  let i = 0
  for (const name in value) {
    if (name !== shape.names[i]) return false
    if (!readNumbers(shapes[i]!, (value as Record<string, unknown>)[name], numbers)) return false
    i++
  }
  return i === shapes.length
}

/**
 * Returns a JSON text for `format()` of PostgreSQL as a card has it: with `'` in place of `"`, which the JSON of a row would
 * have to escape. Throws for a text that has a `'` of its own.
 */
export function quoteTemplate(template: string): string {
  if (template.includes("'")) throw new RangeError("the text has an apostrophe")
  return template.replaceAll('"', "'")
}

/** Returns the JSON text of a form for `format()` of PostgreSQL, with a gap for each number: the first is `%1$s`. */
export function toTemplate(shape: Shape): string {
  let gaps = 0
  const write = (of: Shape): string => {
    if (of.kind === "number") return toGap(++gaps)
    if (of.kind === "literal") return toTemplateText(of.value)
    if (of.kind === "array") return `[${of.shapes.map(write).join(",")}]`
    return `{${of.names.map((name, i) => `${toTemplateText(name)}:${write(of.shapes[i]!)}`).join(",")}}`
  }
  return write(shape)
}

export function toGap(position: number): string {
  return `%${position}$s`
}

/** Returns a text, a boolean or null as JSON for `format()`. */
export function toTemplateText(value: unknown): string {
  return replaceUnstorable(JSON.stringify(value)).replaceAll("%", "%%")
}
