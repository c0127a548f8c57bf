/** The number of days in which an excess that comes back becomes usual. */
export const MEMORY_DAYS = 28

/** The number of these days that may have anomalies without an effect on what is usual. */
const HIGH_SHARE = 0.25
const MIDDLE_SHARE = 0.5
/** An excess must be larger by at least this factor than that of a quarter of the days, and at most by the other one. */
const MIN_TAIL = 1.4
const MAX_TAIL = 3
const TAIL_POWER = 1.5
/** Spend that is rarely there has no pattern, so that only what is far above its largest bursts is unusual. */
const SPARSE_SHARE = 0.1
const SPARSE_TAIL = 2.5

/** Remembers the largest excess of each day, so that what comes back again and again is no anomaly. */
export function createMemory() {
  const days = new Map<number, number>()
  return {
    /** @param day the number of the day */
    add(day: number, excess: number): void {
      days.set(day, Math.max(days.get(day) ?? 0, excess))
    },
    /** Returns an excess that spend of this kind hardly reaches: above that of most days, and more if they vary much. */
    findUsual(today: number, isSparse: boolean): number {
      const last = Array.from({ length: MEMORY_DAYS }, (_, k) => days.get(today - 1 - k))
        .filter((excess) => excess !== undefined)
        .sort((a, b) => b - a)
      const at = (share: number) => last[Math.floor(last.length * share)] ?? 0
      if (isSparse) return SPARSE_TAIL * at(SPARSE_SHARE)
      const [high, middle] = [at(HIGH_SHARE), at(MIDDLE_SHARE)]
      if (high <= 0) return 0
      return high * Math.min(MAX_TAIL, Math.max(MIN_TAIL, (high / Math.max(middle, 0.01)) ** TAIL_POWER))
    },
  }
}
