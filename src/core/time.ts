let second = Number.NaN
let text = ""

/**
 * The time in ISO 8601, UTC, to the millisecond: `2026-11-21T15:16:43.029Z`. The same as `Date.prototype.toISOString`,
 * whose work is done once a second: requests end in thousands of the same one.
 *
 * @param ms milliseconds since the epoch; fractions are dropped. Throws RangeError beyond what a Date can hold.
 */
export function toIsoTime(ms: number): string {
  const whole = Math.floor(ms)
  const ofSecond = Math.floor(whole / 1000)
  if (ofSecond !== second) {
    text = new Date(ofSecond * 1000).toISOString().slice(0, -4)
    second = ofSecond
  }
  const rest = whole - ofSecond * 1000
  return `${text}${rest < 10 ? "00" : rest < 100 ? "0" : ""}${rest}Z`
}
