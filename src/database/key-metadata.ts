import type { KeyMetadata } from "../core/call.ts"
import { CommandError } from "../core/errors.ts"
import { parseMetadataName, RESERVED_NAMES } from "../core/metadata-name.ts"
import { explainInvisible } from "../core/text.ts"
import { toStorable } from "./key-input.ts"

/** Metadata for a key as somebody wrote it. A part replaces the whole part; undefined leaves it as it is. */
export interface KeyMetadataInput {
  readonly default_metadata?: Readonly<Record<string, string>> | undefined
  readonly locked_metadata?: Readonly<Record<string, string>> | undefined
  readonly required_metadata?: readonly string[] | undefined
}

/** The columns of api_keys, each null if there is nothing in it. */
export interface KeyMetadataRow {
  readonly default_metadata: Readonly<Record<string, string>> | null
  readonly locked_metadata: Readonly<Record<string, string>> | null
  readonly required_metadata: readonly string[] | null
}

const MAX_NAMES = 32
const MAX_VALUE_LENGTH = 1024

/** Returns the metadata of a key; undefined if all columns are empty, so that requests of such a key cost nothing. */
export function toKeyMetadata(row: KeyMetadataRow): KeyMetadata | undefined {
  const { default_metadata: defaults, locked_metadata: locked, required_metadata: required } = row
  if (defaults === null && locked === null && required === null) return undefined
  return { defaults: defaults ?? {}, locked: locked ?? {}, required: required ?? [] }
}

/**
 * Returns the values of an input for its columns.
 *
 * @throws CommandError (exit code 2) for a name that no header can have, or that the gateway itself reads, an empty,
 * unreadable or too long value, or too many names
 */
export function toMetadataColumns(input: KeyMetadataInput) {
  const { required_metadata: names } = input
  const required = names === undefined ? undefined : [...new Set(names.map(toName))]
  if (required !== undefined) checkNumber(required.length)
  return {
    defaults: toValues(input.default_metadata),
    locked: toValues(input.locked_metadata),
    required: required === undefined || required.length === 0 ? null : required,
  }
}

/** Returns JSON text, or null for no values. */
function toValues(values: Readonly<Record<string, string>> | undefined): string | null {
  const entries = Object.entries(values ?? {}).map(([name, value]) => [toName(name), toValue(name, value)])
  checkNumber(entries.length)
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries))
}

function toName(text: string): string {
  const name = parseMetadataName(text)
  const shown = JSON.stringify(text.slice(0, 60))
  if (name === undefined)
    throw new CommandError(`a metadata name is the rest of a header's name, such as Team, got ${shown}`, 2)
  if (!RESERVED_NAMES.has(name.toLowerCase())) return name
  throw new CommandError(
    `the header X-Majordomo-${name} is not metadata, because the gateway reads it: choose another name`,
    2,
  )
}

function toValue(name: string, text: string): string {
  const problem = explainInvisible(text)
  if (problem !== undefined) throw new CommandError(`the value of ${name} ${problem}`, 2)
  const value = toStorable(text).trim()
  if (value !== "" && value.length <= MAX_VALUE_LENGTH) return value
  const got = value === "" ? "an empty text" : `${value.length}`
  throw new CommandError(`the value of ${name} has 1 to ${MAX_VALUE_LENGTH} characters, got ${got}`, 2)
}

function checkNumber(count: number): void {
  if (count > MAX_NAMES) throw new CommandError(`a key has at most ${MAX_NAMES} names of each kind, got ${count}`, 2)
}
