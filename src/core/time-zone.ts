/**
 * Returns the canonical name of a time zone, or undefined if there is no such zone. An offset such as `+02:00` is not
 * accepted, because PostgreSQL reads its sign the other way round.
 */
export function findZone(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name)) return undefined
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}
