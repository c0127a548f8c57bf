/** How an hour or a day compares with its pattern. Amounts are USD. */
export interface Score {
  readonly cost: number
  /** The usual cost. */
  readonly expected: number
  /** The highest cost that is still usual. */
  readonly upper: number
  /** The cost is above `upper`, or it is the third hour in a row that is nearly so. */
  readonly isUnusual: boolean
  /** People are told of it: it is the first of an episode, or it costs much more than that. */
  readonly isAlarm: boolean
}

/** The number of weeks whose same hours, or same days, are the pattern. */
export const PATTERN_WEEKS = 6
/** Nothing is unusual before this many days after the first spend. */
export const LEARNING_DAYS = 14
