import { CommandError } from "../core/errors.ts"

/** Parses a port. citty returns text for every option that is not a flag. */
export function parsePort(text: string | undefined): number | undefined {
  return parseWhole("port", text, { min: 0, max: 65535 })
}

/**
 * Parses a whole number; undefined stays undefined.
 *
 * @throws CommandError (exit code 2) if the text is no whole number from `min` to `max`
 */
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

/** Returns all values of an option that may be repeated. citty keeps only the last. */
export function listValues(option: string, args: readonly string[]): string[] {
  const values: string[] = []
  for (let i = 0; i < args.length && args[i] !== "--"; i++) {
    const arg = args[i]!
    if (arg === `--${option}` && args[i + 1] !== undefined) values.push(args[++i]!)
    else if (arg.startsWith(`--${option}=`)) values.push(arg.slice(option.length + 3))
  }
  return values
}
