import { MEMORY_DAYS } from "./_memory.ts"
import { PATTERN_WEEKS } from "./_score.ts"

export { LEARNING_DAYS, type Score } from "./_score.ts"
export { scoreDays } from "./days.ts"
export { scoreHours } from "./hours.ts"

/** The days before a day on which its score depends: the pattern of each day that is remembered, and the level before that. */
export const NEEDED_DAYS = PATTERN_WEEKS * 7 + MEMORY_DAYS + 8
