import { findNearest } from "../config/nearest.ts"
import { CommandError, NotFoundError } from "../core/errors.ts"
import { isSecretValue } from "../core/secrets.ts"

/** A thing that a command or a request names, such as an API key. */
interface Named {
  readonly id: string
  readonly name: string
  /** False: it was revoked, removed or has expired. It counts only if no active one has the name. */
  readonly isActive?: boolean
}

/** The words for one kind of things in messages. */
interface Words {
  /** Such as `API key`. */
  readonly one: string
  readonly several: string
  /** The command that shows them all, such as `keys list`. */
  readonly list: string
}

const MAX_NAMED = 5

/**
 * Returns the things that a text means: those with this name, or those whose ids begin with it (four characters or more).
 */
export function matchNamed<T extends Named>(text: string, all: readonly T[]): readonly T[] {
  const named = all.filter(({ name }) => name === text)
  const active = named.filter(({ isActive }) => isActive !== false)
  if (named.length > 0) return active.length > 0 ? active : named
  return /^[0-9a-f-]{4,36}$/i.test(text) ? all.filter(({ id }) => id.startsWith(text.toLowerCase())) : []
}

/**
 * Returns the one thing that a text means.
 *
 * @throws NotFoundError if there is none; it names the nearest name
 * @throws CommandError if there are several; no message shows a secret that was pasted by mistake
 */
export function requireNamed<T extends Named>(text: string, all: readonly T[], { one, several, list }: Words): T {
  const found = matchNamed(text, all)
  if (found.length === 1) return found[0]!
  const shown = isSecretValue(text) ? "that was given, which is a secret" : JSON.stringify(text.slice(0, 60))
  if (found.length > 1) {
    const each = found
      .slice(0, MAX_NAMED)
      .map(({ id, name, isActive }) => `${id} (${name}${isActive === false ? ", not active" : ""})`)
    const more = found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : ""
    throw new CommandError(`${shown} means ${found.length} ${several}: ${each.join(", ")}${more}: give the id of one`)
  }
  const meant = findNearest(
    text,
    all.map(({ name }) => name),
  )
  const hint = meant === undefined ? `see ${list}` : `did you mean ${JSON.stringify(meant)}?`
  throw new NotFoundError(`there is no ${one} with the id or the name ${shown}: ${hint}`)
}
