/** Whether this is `npm run chaos`: the same tests for longer. */
export const isLong = process.env["MODE"] === "chaos"

/** Returns the first number in `npm test` and the second in `npm run chaos`. */
export const times = (short: number, long: number): number => (isLong ? long : short)

export function report(name: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([what, value]) => `${what} ${value}`)
  console.info(`${name}: ${text.join(", ")}`)
}
