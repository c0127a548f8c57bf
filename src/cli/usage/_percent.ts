/** Renders the rate of errors (`1.25%`). Rounding never turns a few errors into none. */
export function toPercent({ requests, errors }: { readonly requests: number; readonly errors: number }): string {
  if (requests === 0) return "-"
  const share = (errors / requests) * 100
  return errors > 0 && share < 0.01 ? "< 0.01%" : `${share.toFixed(2)}%`
}
