import { useEffect, useRef } from "preact/hooks"

/** Keys and what they do: `d`, `?`, `g o` (one after the other), `mod+k` (Ctrl or Cmd). */
type Keys = Readonly<Record<string, () => void>>

/** Between the two keys of a sequence. */
const SEQUENCE_MS = 1_500

/** Handles keys of the page, but not while the reader types or a dialog is open. */
export function useKeys(keys: Keys): void {
  const current = useRef(keys)
  current.current = keys
  useEffect(() => {
    let prefix: { readonly key: string; readonly at: number } | undefined
    const onKey = (event: KeyboardEvent) => {
      const isChord = (event.metaKey || event.ctrlKey) && !event.altKey
      if (isChord) return run(event, `mod+${event.key.toLowerCase()}`)
      if (event.altKey || isTyping(event.target) || document.querySelector("dialog[open]") !== null) return
      const before = prefix !== undefined && event.timeStamp - prefix.at < SEQUENCE_MS ? `${prefix.key} ` : ""
      prefix = before === "" && event.key === "g" ? { key: "g", at: event.timeStamp } : undefined
      run(event, before + event.key)
    }
    const run = (event: KeyboardEvent, name: string) => {
      const action = current.current[name]
      if (action === undefined) return
      event.preventDefault()
      action()
    }
    window.addEventListener("keydown", onKey)
    return () => window.removeEventListener("keydown", onKey)
  }, [])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}

/** Moves the focus to the next or the previous row of the page's tables. */
export function moveInRows(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")]
  const at = rows.indexOf(document.activeElement as HTMLElement)
  const next = at < 0 ? (step === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))
  rows[next]?.focus()
}
