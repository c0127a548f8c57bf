import type { ComponentChildren } from "preact"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
import { forgetAnswers, toProblem } from "../kit/query.ts"
import { CopyButton } from "./copy.tsx"

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ComponentChildren
  /** A secret is lost when its dialog closes: only its button closes it. */
  readonly isFirm?: boolean
  readonly class?: string
}

/** A modal dialog. The browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children, isFirm = false, class: name = "" }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  // Before the next key, which belongs to the dialog.
  useLayoutEffect(() => {
    const dialog = element.current!
    const opener = document.activeElement
    dialog.showModal()
    return () => {
      dialog.close()
      if (opener instanceof HTMLElement) opener.focus()
    }
  }, [])
  const onCancel = (event: Event) => {
    event.preventDefault()
    if (!isFirm) onClose()
  }
  const onPointerDown = (event: PointerEvent) => {
    if (event.target === element.current && !isFirm) onClose()
  }
  return (
    <dialog ref={element} class={`dialog ${name}`} aria-label={title} onCancel={onCancel} onPointerDown={onPointerDown}>
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}

interface FormDialogProps {
  readonly title: string
  /** The text of the button that submits. */
  readonly action: string
  readonly isDangerous?: boolean
  readonly class?: string
  readonly children: ComponentChildren
  /** Does it, with the values of the fields by name. When it throws, the dialog stays open and shows why. */
  readonly onSubmit: (values: Readonly<Record<string, string>>) => Promise<void>
  readonly onClose: () => void
}

/** A dialog with fields, or a question that is answered by doing it or not. */
export function FormDialog({ title, action, isDangerous, class: name, children, onSubmit, onClose }: FormDialogProps) {
  const [state, setState] = useState<{ readonly busy: boolean; readonly problem?: string }>({ busy: false })
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const values = Object.fromEntries([...form].map(([name, value]) => [name, String(value)]))
    setState({ busy: true })
    try {
      await onSubmit(values)
      // What other pages remember may be wrong now.
      forgetAnswers()
      onClose()
    } catch (error) {
      setState({ busy: false, problem: toProblem(error).message })
    }
  }
  return (
    <Dialog title={title} onClose={onClose} class={name}>
      <form onSubmit={submit}>
        {children}
        <p class="form-problem" role="alert">
          {state.problem}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? "button danger" : "button primary"} disabled={state.busy}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

interface SecretProps {
  readonly title: string
  readonly secret: string
  /** What it is for, and how it is used. */
  readonly children?: ComponentChildren
  readonly onClose: () => void
}

/** Shows a secret once. It is nowhere else: not in the address, not in a cache, and only its hash is stored. */
export function SecretDialog({ title, secret, children, onClose }: SecretProps) {
  return (
    <Dialog title={title} onClose={onClose} isFirm>
      <p>Copy it now. Only its hash is stored, so it cannot be shown again.</p>
      <div class="secret">
        <code>{secret}</code>
        <CopyButton text={secret} />
      </div>
      {children}
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          I have stored it
        </button>
      </div>
    </Dialog>
  )
}
