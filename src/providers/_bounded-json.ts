import { truncateText } from "../core/text.ts"

/** The bounds of what is kept of a provider's usage object: numbers and short words, never prompt or answer text. */
const MAX_DEPTH = 6
const MAX_NODES = 400
const MAX_TEXT_LENGTH = 200

/**
 * Returns foreign JSON that is safe to store: bounded in size, depth and text, with finite numbers only. A value within
 * the bounds, which is all that providers really send, is returned itself.
 * @param first the members of the outermost object that are kept before all others when there is too much
 */
export function boundedJson(value: unknown, first: readonly string[] = []): unknown {
  return weigh(value, 0) <= MAX_NODES ? value : new BoundedCopy(first).copy(value, 0)
}

/** Returns the number of nodes of a value; infinite when some node is out of bounds. */
function weigh(value: unknown, depth: number): number {
  if (typeof value === "number") return Number.isFinite(value) ? 1 : Number.POSITIVE_INFINITY
  if (typeof value === "string") return value.length <= MAX_TEXT_LENGTH ? 1 : Number.POSITIVE_INFINITY
  if (typeof value !== "object" || value === null) return 1
  if (depth >= MAX_DEPTH) return Number.POSITIVE_INFINITY
  let nodes = 1
  // Plain data from JSON.parse inherits nothing, so `for in` is safe for lists too.
  for (const name in value) {
    if (name === "__proto__" || name.length > MAX_TEXT_LENGTH) return Number.POSITIVE_INFINITY
    nodes += weigh((value as Record<string, unknown>)[name], depth + 1)
    if (nodes > MAX_NODES) return nodes
  }
  return nodes
}

/** Copies as much of a value as the bounds allow. */
class BoundedCopy {
  private readonly first: readonly string[]
  private nodes = 0

  constructor(first: readonly string[]) {
    this.first = first
  }

  copy(value: unknown, depth: number): unknown {
    if (++this.nodes > MAX_NODES) return undefined
    if (typeof value === "string") return truncateText(value, MAX_TEXT_LENGTH)
    if (typeof value === "number") return Number.isFinite(value) ? value : null
    if (typeof value !== "object" || value === null) return value
    if (depth >= MAX_DEPTH) return undefined
    return Array.isArray(value) ? this.copyList(value, depth) : this.copyObject(value, depth)
  }

  private copyList(list: readonly unknown[], depth: number): unknown[] {
    const copied: unknown[] = []
    for (const element of list) {
      const one = this.copy(element, depth + 1)
      if (one !== undefined) copied.push(one)
      if (this.nodes > MAX_NODES) break
    }
    return copied
  }

  private copyObject(object: object, depth: number): Record<string, unknown> {
    const copied: Record<string, unknown> = {}
    for (const [name, member] of this.inOrder(object, depth)) {
      if (name === "__proto__" || name.length > MAX_TEXT_LENGTH) continue
      const one = this.copy(member, depth + 1)
      if (one !== undefined) copied[name] = one
      if (this.nodes > MAX_NODES) break
    }
    return copied
  }

  private inOrder(object: object, depth: number): [string, unknown][] {
    const members = Object.entries(object)
    if (depth > 0 || this.first.length === 0) return members
    const isFirst = ([name]: [string, unknown]) => this.first.includes(name)
    return [...members.filter(isFirst), ...members.filter((member) => !isFirst(member))]
  }
}
