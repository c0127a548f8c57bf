const INITIAL_SLOTS = 1024
/** The characters of an id that its place depends on. The ends of ids are random. */
const HASHED = 6

/**
 * Values by random ids (UUIDs), each of which is set once and taken once soon after. A `Map` keeps its former tables, and by
 * them the values that were taken, until the next full collection of garbage: under load that costs more than all lookups.
 */
export class IdMap<T> {
  private ids: (string | undefined)[] = newSlots(INITIAL_SLOTS)
  private values: (T | undefined)[] = newSlots(INITIAL_SLOTS)
  private used = 0

  get size(): number {
    return this.used
  }

  keys(): string[] {
    return this.ids.filter((id) => id !== undefined)
  }

  /** Adds a value. The id must not be there yet. */
  add(id: string, value: T): void {
    if (this.used * 2 >= this.ids.length) this.resize(this.ids.length * 2)
    const slot = this.find(id)
    this.ids[slot] = id
    this.values[slot] = value
    this.used++
  }

  /** Removes a value and returns it; undefined: there is none. */
  take(id: string): T | undefined {
    const slot = this.find(id)
    const value = this.values[slot]
    if (this.ids[slot] === undefined) return undefined
    this.remove(slot)
    this.used--
    if (this.used === 0 && this.ids.length > INITIAL_SLOTS) this.resize(INITIAL_SLOTS)
    return value
  }

  /** Returns the slot of an id, or the free one where it would be. */
  private find(id: string): number {
    const { ids } = this
    const mask = ids.length - 1
    let slot = hash(id) & mask
    while (ids[slot] !== undefined && ids[slot] !== id) slot = (slot + 1) & mask
    return slot
  }

  /** Frees a slot, and moves back the ids behind it that would not be found any more. */
  private remove(slot: number): void {
    const { ids, values } = this
    const mask = ids.length - 1
    let free = slot
    for (let next = (slot + 1) & mask; ids[next] !== undefined; next = (next + 1) & mask) {
      const distance = (next - hash(ids[next]!)) & mask
      if (distance < ((next - free) & mask)) continue
      ids[free] = ids[next]
      values[free] = values[next]
      free = next
    }
    ids[free] = undefined
    values[free] = undefined
  }

  private resize(slots: number): void {
    const { ids, values } = this
    this.ids = newSlots(slots)
    this.values = newSlots(slots)
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]
      if (id === undefined) continue
      const slot = this.find(id)
      this.ids[slot] = id
      this.values[slot] = values[i]
    }
  }
}

function newSlots<T>(count: number): (T | undefined)[] {
  return new Array<T | undefined>(count).fill(undefined)
}

function hash(id: string): number {
  let sum = 0
  for (let at = Math.max(0, id.length - HASHED); at < id.length; at++) sum = Math.imul(sum, 31) + id.charCodeAt(at)
  return sum ^ (sum >>> 15)
}
