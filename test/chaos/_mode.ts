/** Whether this is `npm run chaos`: the same tests for longer. */
export const isLong = process.env["MODE"] === "chaos"

/** Returns the first number in `npm test` and the second in `npm run chaos`. */
export const times = (short: number, long: number): number => (isLong ? long : short)

/** A limit on time: `npm run chaos` has the machine for itself. In `npm test`, other programs use it. */
export const limit = (whenAlone: number): number => (isLong ? whenAlone : Number.POSITIVE_INFINITY)

export function report(name: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([what, value]) => `${what} ${value}`)
  console.info(`${name}: ${text.join(", ")}`)
}
