/** `npm run chaos`: the same tests, longer. */
export const isLong = process.env["MODE"] === "chaos"

/** A number for `npm test` and one for `npm run chaos`. */
export const times = (short: number, long: number): number => (isLong ? long : short)

export function report(name: string, figures: Readonly<Record<string, number | string>>): void {
  const text = Object.entries(figures).map(([what, value]) => `${what} ${value}`)
  console.info(`${name}: ${text.join(", ")}`)
}
