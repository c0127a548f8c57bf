import { CommandError } from "../core/errors.ts"
import { parsePercent } from "../core/own-prices.ts"
import { explainInvisible } from "../core/text.ts"

const MAX_NAME_LENGTH = 255

/** Returns the id of a key, as a person wrote it. Throws a CommandError for anything else; it never shows a key. */
export function toId(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  const shown = text.startsWith("mdm_sk_") ? "a key itself" : `"${text.slice(0, 60)}"`
  throw new CommandError(
    `the id of an API key looks like a1b2c3d4-e5f6-7890-abcd-ef1234567890, got ${shown}: see keys list`,
  )
}

/** Throws a CommandError for a name that is empty or too long, or that people cannot read. */
export function toName(text: string): string {
  const problem = explainInvisible(text)
  if (problem !== undefined) throw new CommandError(`the name of an API key ${problem}`)
  const name = toStorable(text)
  const length = [...name].length
  if (name.trim() === "") throw new CommandError("the name of an API key must not be empty")
  if (length > MAX_NAME_LENGTH) {
    throw new CommandError(`the name of an API key has at most ${MAX_NAME_LENGTH} characters, got ${length}`)
  }
  return name
}

/** Returns the number of percents; undefined for no discount. */
export function toPercent(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined
  const percent = parsePercent(text.replace(/%$/, ""))
  if (percent !== undefined) return percent === "0" ? undefined : percent
  throw new CommandError(
    `the discount of an API key is a percentage from 0 to below 100, with at most 6 digits after the point, such as 12.5; got ${JSON.stringify(text.slice(0, 60))}`,
    2,
  )
}

/** Replaces what PostgreSQL cannot store: U+0000 and unpaired surrogates. */
export function toStorable(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, "\uFFFD")
}
