import { useEffect, useRef, useState } from "preact/hooks"
import { ApiProblem, get, type Input, toUrl } from "./api.ts"

export interface Query<T> {
  /** The newest answer. While another question is being asked, it is still that of the one before. */
  readonly data: T | undefined
  readonly problem: ApiProblem | undefined
  readonly isLoading: boolean
  reload(): void
}

const MAX_ANSWERS = 200
/** Going back shows a page at once; an answer older than this is asked for again meanwhile. */
const FRESH_MS = 5_000
const answers = new Map<string, { readonly data: unknown; readonly at: number }>()

/** Forgets all answers, because another person may sign in. */
export function forgetAnswers(): void {
  answers.clear()
}

function remember(url: string, data: unknown): void {
  answers.delete(url)
  answers.set(url, { data, at: Date.now() })
  if (answers.size > MAX_ANSWERS) answers.delete(answers.keys().next().value!)
}

interface State<T> {
  readonly url: string | undefined
  readonly data: T | undefined
  readonly problem: ApiProblem | undefined
}

/** Asks the API. `path` undefined: there is nothing to ask (yet). */
export function useQuery<T>(path: string | undefined, input: Input = {}): Query<T> {
  const url = path === undefined ? undefined : toUrl(path, input)
  const [state, setState] = useState<State<T>>({ url: undefined, data: undefined, problem: undefined })
  const [round, setRound] = useState(0)
  const asked = useRef({ path, input })
  asked.current = { path, input }
  useEffect(() => {
    if (url === undefined) return setState({ url, data: undefined, problem: undefined })
    const known = answers.get(url)
    if (known !== undefined) setState({ url, data: known.data as T, problem: undefined })
    if (known !== undefined && round === 0 && Date.now() - known.at < FRESH_MS) return
    const stop = new AbortController()
    get<T>(asked.current.path!, asked.current.input, stop.signal).then(
      (data) => {
        remember(url, data)
        if (!stop.signal.aborted) setState({ url, data, problem: undefined })
      },
      (problem: unknown) => {
        if (stop.signal.aborted) return
        setState({ url, data: undefined, problem: toProblem(problem) })
      },
    )
    return () => stop.abort()
  }, [url, round])
  return { ...state, isLoading: url !== state.url, reload: () => setRound((n) => n + 1) }
}

export function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  return new ApiProblem({ status: 0, code: "bug", detail: error instanceof Error ? error.message : String(error) })
}
