import { CommandError } from "../../core/errors.ts"
import type { Bill, BillLine } from "../../core/reconciliation.ts"
import { toIsoTime } from "../../core/time.ts"
import { ANTHROPIC } from "./_anthropic.ts"
import { readAnthropic } from "./_anthropic-reports.ts"
import { createGet, type Endpoint } from "./_client.ts"
import { OPENAI, readOpenAi } from "./_openai.ts"
import { OPENROUTER, readOpenRouter } from "./_openrouter.ts"
import type { BillSource, DayRange, Reading, SourceOptions, SourceProvider } from "./_source.ts"

export type { BillSource, SourceProvider } from "./_source.ts"
export { SourceError } from "./source-error.ts"

interface Read {
  readonly source: Bill["source"]
  readonly lines: readonly BillLine[]
  /** The days that were read, if they are not the ones of the question. */
  readonly range?: DayRange
}

const PROVIDERS: Readonly<
  Record<SourceProvider, { readonly endpoint: Endpoint; readonly read: (reading: Reading) => Promise<Read> }>
> = {
  openai: { endpoint: OPENAI, read: readOpenAi },
  anthropic: { endpoint: ANTHROPIC, read: readAnthropic },
  openrouter: { endpoint: OPENROUTER, read: readOpenRouter },
}

/**
 * Creates the reader of an account's bills at its provider.
 * @throws CommandError if the credential cannot be one, or if the base URL is not safe for it
 */
export function createSource(provider: SourceProvider, options: SourceOptions): BillSource {
  const { endpoint, read } = PROVIDERS[provider]
  const credential = options.credential.trim()
  if (!/^[\x21-\x7e]+$/.test(credential)) {
    const { setting, keyKind, createAt } = endpoint.words
    throw new CommandError(
      `The ${keyKind} in ${setting} is empty or has a character that no key has. Copy it again from ${createAt}.`,
    )
  }
  // A base URL that is not safe is rejected here, and not by the first request.
  createGet(endpoint, options, undefined)

  return {
    async fetchBill(range, onProgress = () => {}, signal) {
      const now = (options.now ?? Date.now)()
      const notes: string[] = []
      let account: string | undefined
      const get = createGet(endpoint, { ...options, credential }, signal)
      const result = await read({
        range,
        now,
        options,
        report: onProgress,
        note: (sentence) => void (notes.includes(sentence) || notes.push(sentence)),
        get: async (path, query) => {
          const answer = await get(path, query)
          account ??= answer.account
          return answer
        },
      })
      const { since, until } = result.range ?? range
      const { source, lines } = result
      return { provider, account, since, until, source, lines, fetchedAt: toIsoTime(now), notes }
    },
  }
}
