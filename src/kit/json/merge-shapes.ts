import type { Shape } from "./prune.ts"

/** Returns the shape that keeps what either of two shapes keeps. */
export function mergeShapes(a: Shape, b: Shape): Shape {
  if (a === true || b === true) return true
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b)) return true
    const element = mergeShapes(a[0], b[0])
    return (a[1] ?? b[1]) ? [element, "singly"] : [element]
  }
  const merged: Record<string, Shape> = { ...a }
  for (const [name, shape] of Object.entries(b)) {
    const known = merged[name]
    merged[name] = known === undefined ? shape : mergeShapes(known, shape)
  }
  return merged
}

function isList(shape: Exclude<Shape, true>): shape is readonly [Shape, "singly"?] {
  return Array.isArray(shape)
}
