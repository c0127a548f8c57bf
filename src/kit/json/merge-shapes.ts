import type { Shape } from "./prune.ts"

/** Returns the shape that keeps what either of two shapes keeps. */
export function mergeShapes(a: Shape, b: Shape): Shape {
  if (a === true || b === true) return true
  if (isList(a) || isList(b)) return isList(a) && isList(b) ? [mergeShapes(a[0], b[0])] : true
  const merged: Record<string, Shape> = { ...a }
  for (const [name, shape] of Object.entries(b)) {
    const known = merged[name]
    merged[name] = known === undefined ? shape : mergeShapes(known, shape)
  }
  return merged
}

function isList(shape: Exclude<Shape, true>): shape is readonly [Shape] {
  return Array.isArray(shape)
}
