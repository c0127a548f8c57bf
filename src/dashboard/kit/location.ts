import { useEffect, useState } from "preact/hooks"

/** Where the reader is: the name of the view, and everything else that the address holds. */
interface Place {
  /** The path below `/dashboard/`. Empty: the overview. */
  readonly view: string
  readonly params: URLSearchParams
}

const BASE = "/dashboard/"
const listeners = new Set<() => void>()

function readPlace(): Place {
  const { pathname, search } = window.location
  return { view: pathname.slice(BASE.length).replace(/\/$/, ""), params: new URLSearchParams(search) }
}

window.addEventListener("popstate", () => notify())

function notify(): void {
  for (const listener of listeners) listener()
}

/** Returns the address of a view. */
export function toHref(view: string, params?: URLSearchParams): string {
  // Colons, slashes and spaces of values are legible in an address, and may stand there.
  const query = params?.toString().replaceAll("%3A", ":").replaceAll("%2F", "/") ?? ""
  return query === "" ? BASE + view : `${BASE}${view}?${query}`
}

/** Goes to an address of the dashboard. `replace` leaves no entry for the back key. */
export function navigate(href: string, { replace = false } = {}): void {
  if (href === window.location.pathname + window.location.search) return
  window.history[replace ? "replaceState" : "pushState"](null, "", href)
  notify()
}

/** The place where the reader is; renders again when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(readPlace)
  useEffect(() => {
    const update = () => setPlace(readPlace())
    listeners.add(update)
    return () => void listeners.delete(update)
  }, [])
  return place
}

/** Lets the browser handle what only it can: another tab, another window, a download. */
export function handleClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return
  const link = event.target instanceof Element ? event.target.closest("a") : null
  if (!link?.pathname.startsWith(BASE) || link.origin !== window.location.origin || link.target || link.download) return
  event.preventDefault()
  const moved = link.pathname !== window.location.pathname
  navigate(link.pathname + link.search)
  if (moved) window.scrollTo(0, 0)
}
