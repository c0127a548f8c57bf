import { CommandError } from "../core/errors.ts"

/** citty gives text: numbers and the like are read, and refused, here. Wrong usage: exit code 2. */
export function parsePort(text: string | undefined): number | undefined {
  return parseWhole("port", text, { min: 0, max: 65535 })
}

export function parseWhole(
  option: string,
  text: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new CommandError(`--${option}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`, 2)
}

/** All values of an option that may be repeated; citty keeps only the last. */
export function listValues(option: string, args: readonly string[]): string[] {
  const values: string[] = []
  for (let i = 0; i < args.length && args[i] !== "--"; i++) {
    const arg = args[i]!
    if (arg === `--${option}` && args[i + 1] !== undefined) values.push(args[++i]!)
    else if (arg.startsWith(`--${option}=`)) values.push(arg.slice(option.length + 3))
  }
  return values
}

/** A row's id, as Postgres takes it. What is shown of anything else cannot be a key that was pasted by mistake. */
export function parseRequestId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase()
  const shown = text.startsWith("mdm_sk_") ? "an API key" : JSON.stringify(text.slice(0, 60))
  throw new CommandError(
    `the id of a request looks like 0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d, got ${shown}: see usage requests --json`,
  )
}
