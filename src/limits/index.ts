export { createLimits, type Limits, type LimitsOptions } from "./engine.ts"
export type { LimitStats } from "./rule-set.ts"
export type { Threshold } from "./threshold.ts"
