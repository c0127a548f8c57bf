import type { ComponentChildren } from "preact"

interface FieldProps {
  readonly label: string
  readonly name: string
  readonly hint?: ComponentChildren
  readonly value?: string
  readonly type?: "text" | "password" | "date" | "number"
  readonly isRequired?: boolean
  readonly placeholder?: string
  readonly isFirst?: boolean
}

/** A labeled field of a form. `FormDialog` passes its value by its name. */
export function Field({ label, name, hint, value, type = "text", isRequired, placeholder, isFirst }: FieldProps) {
  const hintId = hint === undefined ? undefined : `${name}-hint`
  return (
    <label class="field">
      <span>{label}</span>
      <input
        name={name}
        // The types of preact allow a role for each of these separately.
        type={type as "text"}
        defaultValue={value}
        required={isRequired}
        placeholder={placeholder}
        aria-describedby={hintId}
        autocomplete="off"
        spellcheck={false}
        autofocus={isFirst}
      />
      {hint !== undefined && <small id={hintId}>{hint}</small>}
    </label>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly name?: string
  readonly value?: string
  readonly options: readonly (readonly [value: string, text: string])[]
  readonly onChange?: (value: string) => void
  /** The option with the empty value is no choice. */
  readonly isRequired?: boolean
  /** The label is for screen readers only. */
  readonly isBare?: boolean
}

/** A choice among a few values. */
export function Choice({ label, name, value, options, onChange, isRequired, isBare }: ChoiceProps) {
  const choose = (select: HTMLSelectElement) => {
    const chosen = select.value
    // The page shows the choice when the address has it, and not before: a dialog may still be canceled.
    if (onChange !== undefined && value !== undefined) select.value = value
    onChange?.(chosen)
  }
  return (
    <label class={isBare ? "choice" : "field"}>
      <span class={isBare ? "hidden" : undefined}>{label}</span>
      <select name={name} value={value} required={isRequired} onChange={(event) => choose(event.currentTarget)}>
        {options.map(([option, text]) => (
          <option key={option} value={option} selected={option === value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
