import { METADATA_ALIASES } from "../core/metadata-name.ts"
import { DIMENSIONS, type Dimension, metadataDimension } from "./dimensions.ts"

export { findZone } from "../core/time-zone.ts"
export { toTrainCase } from "../core/train-case.ts"
export { toOffsetIso } from "./_zone.ts"
export { askCharges, type Charge, readCharges } from "./charges.ts"
export { DIMENSIONS, type Dimension, listDays, metadataDimension, type Value } from "./dimensions.ts"
export { askDropped, readDropped } from "./dropped.ts"
export { askErrors, type ErrorAnswer, type ErrorQuestion, type ErrorRow, readErrors } from "./errors.ts"
export { askEstimatedCost, readEstimatedCost } from "./estimated.ts"
export type { Filters } from "./filters.ts"
export {
  askExactLatency,
  askLatency,
  type Latency,
  type LatencyAnswer,
  type LatencyQuestion,
  type LatencyRow,
  readLatency,
  toErrorRate,
} from "./latency.ts"
export { isPeriod, MOMENTS, PERIODS, type Period, parseMoment, toPreviousPeriod, toYearAgo } from "./period.ts"
export { findIncompleteName, missesPrunedRows, readsRollups } from "./plan.ts"
export { askRecorded, type RecordedQuestion, readRecorded } from "./recorded.ts"
export {
  askBodies,
  askRequest,
  askRequests,
  type BodyCursor,
  type BodyQuestion,
  COLUMNS,
  countBodies,
  type RequestCursor,
  toRequestObject,
} from "./requests.ts"
export { askRollupState, MAX_VALUES_PER_DAY, NO_ROLLUPS, type RollupState, readRollupState } from "./rollup-state.ts"
export { RUN_NAMES } from "./run-id.ts"
export { askNewestRuns, askRuns, askTheseRuns, countRuns, RUN_SORTS, type RunsQuestion } from "./run-list.ts"
export { readsRunRollup } from "./run-parts.ts"
export { askRun, RUN_FIELDS, type Run, readRun } from "./runs.ts"
export { readStep, type SpanNode, type Step, toSpans } from "./spans.ts"
export { askKnown, askNew, askNewest, OVERLAP_MS } from "./tail.ts"
export {
  askUsage,
  type Measures,
  readUsage,
  SORTS,
  type Sort,
  type UsageAnswer,
  type UsageQuestion,
  type UsageRow,
} from "./usage.ts"
export { METADATA_ALIASES }

/**
 * Returns the dimension with a name: one of the table, or else the metadata name (`User-Id`). Returns undefined if the text
 * cannot be a metadata name.
 */
export function findDimension(name: string): Dimension | undefined {
  if (Object.hasOwn(DIMENSIONS, name)) return DIMENSIONS[name]
  if (Object.hasOwn(METADATA_ALIASES, name)) return metadataDimension(METADATA_ALIASES[name]!)
  return /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name) ? metadataDimension(name) : undefined
}
