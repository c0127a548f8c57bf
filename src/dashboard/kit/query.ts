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

interface OpenQuestion {
  readonly answer: Promise<unknown>
  readonly stop: AbortController
  askers: number
}

const open = new Map<string, OpenQuestion>()

/** Asks a question, or waits for the answer to the same one that is open, unless `isNew`. The last one that leaves ends it. */
function ask(url: string, question: { path: string; input: Input; isNew: boolean }): [Promise<unknown>, () => void] {
  const shared = (question.isNew ? undefined : open.get(url)) ?? start(url, question)
  shared.askers++
  const leave = () => {
    if (--shared.askers > 0) return
    shared.stop.abort()
    forget(url, shared)
  }
  return [shared.answer, leave]
}

function start(url: string, { path, input }: { path: string; input: Input }): OpenQuestion {
  const stop = new AbortController()
  const asked: OpenQuestion = {
    answer: get(path, input, stop.signal).finally(() => forget(url, asked)),
    stop,
    askers: 0,
  }
  open.set(url, asked)
  return asked
}

function forget(url: string, asked: OpenQuestion): void {
  if (open.get(url) === asked) open.delete(url)
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
    let hasLeft = false
    const [answer, leave] = ask(url, { path: asked.current.path!, input: asked.current.input, isNew: round > 0 })
    answer.then(
      (data) => {
        remember(url, data)
        if (!hasLeft) setState({ url, data: data as T, problem: undefined })
      },
      (problem: unknown) => {
        if (!hasLeft) setState({ url, data: undefined, problem: toProblem(problem) })
      },
    )
    return () => {
      hasLeft = true
      leave()
    }
  }, [url, round])
  return { ...state, isLoading: url !== state.url, reload: () => setRound((n) => n + 1) }
}

export function toProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  return new ApiProblem({ status: 0, code: "bug", detail: error instanceof Error ? error.message : String(error) })
}
