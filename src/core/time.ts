/** The last second that was formatted, in seconds since the epoch, and its text up to the seconds. */
let second = Number.NaN
let text = ""

/**
 * Formats a time in ISO 8601, UTC, with milliseconds: `2026-11-21T15:16:43.029Z`. The result is that of
 * `Date.prototype.toISOString`, whose work is done once per second, because thousands of requests end in one second.
 *
 * @param ms milliseconds since the epoch; fractions are dropped
 * @throws RangeError if a Date cannot hold the time
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
