/** The bounds of what is kept of a provider's usage object: numbers and short words, never prompt or answer text. */
const MAX_DEPTH = 6
const MAX_NODES = 400
const MAX_TEXT = 200

/**
 * Foreign JSON that is safe to store: bounded in size, depth and text, finite numbers only. What is so already (all
 * that providers really send) is given as it is.
 */
export function boundedJson(value: unknown): unknown {
  return weigh(value, 0) <= MAX_NODES ? value : boundedCopy(value)
}

/** Nodes of a value; infinite when some node is out of bounds. */
function weigh(value: unknown, depth: number): number {
  if (typeof value === "number") return Number.isFinite(value) ? 1 : Number.POSITIVE_INFINITY
  if (typeof value === "string") return value.length <= MAX_TEXT ? 1 : Number.POSITIVE_INFINITY
  if (typeof value !== "object" || value === null) return 1
  if (depth >= MAX_DEPTH) return Number.POSITIVE_INFINITY
  let nodes = 1
  // Plain data out of JSON.parse: nothing inherited, so `for in` is safe for lists too.
  for (const name in value) {
    if (name === "__proto__" || name.length > MAX_TEXT) return Number.POSITIVE_INFINITY
    nodes += weigh((value as Record<string, unknown>)[name], depth + 1)
    if (nodes > MAX_NODES) return nodes
  }
  return nodes
}

function boundedCopy(value: unknown): unknown {
  let nodes = 0
  return copy(value, 0)

  function copy(value: unknown, depth: number): unknown {
    if (++nodes > MAX_NODES) return undefined
    if (typeof value === "string") return value.slice(0, MAX_TEXT)
    if (typeof value === "number") return Number.isFinite(value) ? value : null
    if (typeof value !== "object" || value === null) return value
    if (depth >= MAX_DEPTH) return undefined
    if (Array.isArray(value)) {
      const list: unknown[] = []
      for (const element of value) {
        const one = copy(element, depth + 1)
        if (one !== undefined) list.push(one)
        if (nodes > MAX_NODES) break
      }
      return list
    }
    const object: Record<string, unknown> = {}
    for (const [name, member] of Object.entries(value)) {
      if (name === "__proto__" || name.length > MAX_TEXT) continue
      const one = copy(member, depth + 1)
      if (one !== undefined) object[name] = one
      if (nodes > MAX_NODES) break
    }
    return object
  }
}
