export { createLimits, type LimitStats, type Limits, type LimitsOptions } from "./engine.ts"
export type { Threshold } from "./threshold.ts"
