import { useEffect, useState } from "preact/hooks"
import { type Input, toUrl } from "./api.ts"

/** More rows than this are not kept while a list is followed. */
const MAX_ROWS = 500

export interface Tail<T> {
  /** The newest first. */
  readonly items: readonly T[]
  readonly state: "off" | "connecting" | "on" | "failed"
}

/** Receives the items of a stream of the API while `isOn`, without those that were there before. */
export function useTail<T>(path: string, input: Input, isOn: boolean): Tail<T> {
  const url = isOn ? toUrl(path, { ...input, limit: 0 }) : undefined
  const [tail, setTail] = useState<Tail<T>>({ items: [], state: "off" })
  useEffect(() => {
    setTail({ items: [], state: url === undefined ? "off" : "connecting" })
    if (url === undefined) return
    const source = new EventSource(url)
    const set = (state: Tail<T>["state"]) => setTail(({ items }) => ({ items, state }))
    source.onopen = () => set("on")
    // The browser connects again by itself, unless the answer was an error.
    source.onerror = () => set(source.readyState === EventSource.CLOSED ? "failed" : "connecting")
    source.addEventListener("item", (event) => {
      const { item } = JSON.parse(event.data) as { item: T }
      setTail(({ items, state }) => ({ items: [item, ...items].slice(0, MAX_ROWS), state }))
    })
    source.addEventListener("problem", () => {
      source.close()
      set("failed")
    })
    return () => source.close()
  }, [url])
  return tail
}
