/** A longer session would be truncated somewhere, and could then be another one. */
const MAX_SESSION_LENGTH = 200

/**
 * Returns the text by which a relayed request and a client's report of it are recognized as one where the provider's id of
 * the request is not known: its session and its tokens. A conversation grows with each request, so two of its requests
 * hardly ever have the same counts. undefined: the session is not known, or there are no tokens.
 *
 * Worked example: `0199a213-…/12000/11000/350` for 12,000 tokens of input, 11,000 of them cached, and 350 of output.
 */
export function toUsageKey(
  session: string | undefined,
  tokens: { readonly inputTokens: number; readonly cachedTokens: number; readonly outputTokens: number },
): string | undefined {
  const { inputTokens, cachedTokens, outputTokens } = tokens
  if (session === undefined || session === "" || session.length > MAX_SESSION_LENGTH) return undefined
  if (inputTokens + outputTokens === 0) return undefined
  return `${session}/${inputTokens}/${cachedTokens}/${outputTokens}`
}
