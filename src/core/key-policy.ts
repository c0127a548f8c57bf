/** What an API key may be used for, and until when. Times are in milliseconds since the epoch. */
export interface KeyPolicy {
  /** When the key expires; undefined: never. */
  readonly expiresAt: number | undefined
  /** When the secret that the client sent ends, because a rotation has replaced it; undefined: it is the key's present one. */
  readonly secretEndsAt: number | undefined
  /** Patterns of the models that it may use, in lower case; undefined: any. */
  readonly models: readonly string[] | undefined
  /** The providers that it may use, in lower case; undefined: any. */
  readonly providers: readonly string[] | undefined
}

/** Returns when the key or its secret ended; undefined if it can still be used. */
export function findEnd({ expiresAt, secretEndsAt }: KeyPolicy, now: number): number | undefined {
  if (secretEndsAt !== undefined && now >= secretEndsAt) return secretEndsAt
  return expiresAt !== undefined && now >= expiresAt ? expiresAt : undefined
}

/**
 * Returns whether a pattern matches one of the names, which are in lower case.
 *
 * Worked example: `gpt-5*` matches `gpt-5` and `gpt-5-mini`, and `gpt-5` matches only `gpt-5`.
 */
export function matchesModel(patterns: readonly string[], names: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith("*")
      ? names.some((name) => name.startsWith(pattern.slice(0, -1)))
      : names.some((name) => name === pattern),
  )
}
