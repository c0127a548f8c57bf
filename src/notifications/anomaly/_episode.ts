/** Within an episode, one more alarm is raised for so many times the cost of the last one. */
const ESCALATION = 4

/**
 * Tells the first unusual step of an episode from those that follow.
 *
 * @param gap an episode ends after so many steps without an unusual one
 */
export function createEpisode(gap: number) {
  let last = Number.NEGATIVE_INFINITY
  let alarmed = 0
  /** Returns whether an unusual step is an alarm. */
  return (step: number, cost: number): boolean => {
    const isNew = step - last > gap
    last = step
    if (!isNew && cost < ESCALATION * alarmed) return false
    alarmed = cost
    return true
  }
}
