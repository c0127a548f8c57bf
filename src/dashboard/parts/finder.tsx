import { useLayoutEffect, useRef, useState } from "preact/hooks"
import { findTargets, type Target, useTargets } from "../kit/find.ts"
import { navigate } from "../kit/location.ts"
import type { Question } from "../kit/question.ts"
import { Dialog } from "./dialog.tsx"

interface FinderProps {
  readonly question: Question
  readonly placeholder: string
  /** Targets in addition to the values that filter. */
  readonly more?: readonly Target[]
  readonly id: string
  /** It is in a dialog: the list is always open. */
  readonly isOpen?: boolean
  readonly onDone?: () => void
}

/** A text field that finds by name what the reader goes to or filters by (the combobox pattern of WAI-ARIA). */
export function Finder({ question, placeholder, more = [], id, isOpen = false, onDone }: FinderProps) {
  const [typed, setTyped] = useState("")
  const [isFocused, setFocused] = useState(isOpen)
  const [at, setAt] = useState(0)
  const input = useRef<HTMLInputElement>(null)
  const targets = useTargets(question, isFocused)
  const found = isFocused ? findTargets([...more, ...targets], typed, question) : []
  const isListed = isOpen || (isFocused && (typed !== "" || found.length > 0))
  useLayoutEffect(() => {
    if (isOpen) input.current?.focus()
  }, [isOpen])
  const choose = (target: Target | undefined) => {
    if (target === undefined) return
    setTyped("")
    setAt(0)
    input.current?.blur()
    onDone?.()
    navigate(target.href)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0
    if (step !== 0) setAt((at + step + found.length) % Math.max(1, found.length))
    else if (event.key === "Enter") choose(found[at])
    else if (event.key === "Escape" && !isOpen) input.current?.blur()
    else return
    event.preventDefault()
  }
  return (
    <div class="finder">
      <input
        ref={input}
        id={id}
        type="text"
        role="combobox"
        aria-expanded={isListed}
        aria-controls={`${id}-list`}
        aria-activedescendant={isListed && found.length > 0 ? `${id}-${at}` : undefined}
        aria-autocomplete="list"
        aria-label={placeholder}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          setTyped(event.currentTarget.value)
          setAt(0)
        }}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(isOpen)}
        onKeyDown={onKeyDown}
      />
      <Options id={id} found={found} at={at} isListed={isListed} typed={typed} onChoose={choose} />
    </div>
  )
}

interface OptionsProps {
  readonly id: string
  readonly found: readonly Target[]
  readonly at: number
  readonly isListed: boolean
  readonly typed: string
  readonly onChoose: (target: Target) => void
}

function Options({ id, found, at, isListed, typed, onChoose }: OptionsProps) {
  return (
    <div class="finder-list" id={`${id}-list`} role="listbox" aria-label="Found" hidden={!isListed}>
      {found.map((target, i) => (
        // The field keeps the focus, so that a click on an option is not a blur.
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are handled by the field
        // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus (aria-activedescendant)
        <div
          key={`${target.kind} ${target.text}`}
          id={`${id}-${i}`}
          role="option"
          aria-selected={i === at}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onChoose(target)}
        >
          <span class="finder-kind">{target.kind}</span>
          <bdi class="finder-text">{target.text}</bdi>
        </div>
      ))}
      {found.length === 0 && <p class="finder-none">{typed === "" ? "Loading …" : `Nothing is called “${typed}”.`}</p>}
    </div>
  )
}

/** Finds anything by its name: pages, models, keys, and the values of metadata. */
export function Palette({
  question,
  more,
  onClose,
}: {
  question: Question
  more: readonly Target[]
  onClose: () => void
}) {
  return (
    <Dialog title="Find anything" onClose={onClose} class="palette">
      <Finder
        id="palette"
        question={question}
        placeholder="A page, model, key, user …"
        more={more}
        isOpen
        onDone={onClose}
      />
    </Dialog>
  )
}
