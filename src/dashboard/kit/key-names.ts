import { useMemo } from "preact/hooks"
import { useQuery } from "./query.ts"
import type { ApiKey } from "./usage.ts"

/** The names of the API keys by their ids. */
export function useKeyNames(): ReadonlyMap<string, string> {
  const { data } = useQuery<readonly ApiKey[]>("/keys")
  return useMemo(() => new Map(data?.map(({ id, name }) => [id, name])), [data])
}
