export { createLimits, type LimitStats, type Limits, type LimitsOptions } from "./engine.ts"
export type { LeaseItem, LeaseState } from "./lessee.ts"
export type { Threshold } from "./threshold.ts"
