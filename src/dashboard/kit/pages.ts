import { useEffect, useState } from "preact/hooks"
import type { ApiProblem } from "./api.ts"
import { get, type Input, toUrl } from "./api.ts"
import { toProblem, useQuery } from "./query.ts"

interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

interface Pages<T> {
  /** Undefined until the first page is here. */
  readonly items: readonly T[] | undefined
  readonly problem: ApiProblem | undefined
  readonly isLoading: boolean
  /** Loads the next page; undefined: there is none, or it is being loaded. */
  readonly more: (() => void) | undefined
  readonly hasMore: boolean
  reload(): void
}

interface Rest<T> extends Page<T> {
  /** The question that these items answer. */
  readonly url: string
}

/** Asks the API for a list that has pages, and for the next one whenever the reader wants it. */
export function usePages<T>(path: string, input: Input): Pages<T> {
  const url = toUrl(path, input)
  const first = useQuery<Page<T>>(path, input)
  const [rest, setRest] = useState<Rest<T>>()
  const [state, setState] = useState<{ readonly isBusy: boolean; readonly problem?: ApiProblem }>({ isBusy: false })
  useEffect(() => {
    setRest(undefined)
    setState({ isBusy: false })
  }, [url, first.data])
  const following = rest?.url === url ? rest : undefined
  const cursor = following === undefined ? first.data?.next : following.next
  const hasMore = typeof cursor === "string"
  const load = () => {
    setState({ isBusy: true })
    get<Page<T>>(path, { ...input, cursor }).then(
      ({ items, next }) => {
        setRest({ url, items: [...(following?.items ?? []), ...items], next })
        setState({ isBusy: false })
      },
      (error: unknown) => setState({ isBusy: false, problem: toProblem(error) }),
    )
  }
  return {
    items: first.data && [...first.data.items, ...(following?.items ?? [])],
    problem: first.problem ?? state.problem,
    isLoading: first.isLoading,
    more: hasMore && !state.isBusy ? load : undefined,
    hasMore,
    reload: first.reload,
  }
}
