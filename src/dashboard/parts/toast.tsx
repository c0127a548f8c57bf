import { useEffect, useState } from "preact/hooks"

interface Note {
  readonly text: string
  readonly isError: boolean
}

const SHOWN_MS = 5_000
let show: (note: Note) => void = () => {}

/** Tells the reader that something was done, or why it was not. */
export function toast(text: string, { isError = false } = {}): void {
  show({ text, isError })
}

/** The place of these notes. One is on the page. An error stays until it is dismissed. */
export function Toasts() {
  const [note, setNote] = useState<Note>()
  show = setNote
  useEffect(() => {
    if (note === undefined || note.isError) return
    const timer = setTimeout(() => setNote(undefined), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [note])
  return (
    <div class="toasts" role="status" aria-live="polite">
      {note && (
        <div class={note.isError ? "toast toast-bad" : "toast"}>
          <span>{note.text}</span>
          <button type="button" class="icon-button" aria-label="Dismiss" onClick={() => setNote(undefined)}>
            ×
          </button>
        </div>
      )}
    </div>
  )
}
