import type { NotificationKind, NotificationSeverity } from "../core/notification.ts"

/**
 * A notification in words, before it takes the form of a channel. All texts are plain: none of them is markup, and renderers
 * escape them. Names of other people in them are shortened and have no invisible characters.
 */
export interface Message {
  readonly kind: NotificationKind | "test"
  readonly severity: NotificationSeverity
  /** The fact with its amount, in one line. */
  readonly title: string
  /** The cause, and then what to do. An empty line separates paragraphs. */
  readonly summary: string
  readonly fields: readonly MessageField[]
  readonly tables: readonly MessageTable[]
  readonly chart?: MessageChart | undefined
  /** The page of the dashboard that shows more; undefined: the address of the dashboard is not known. */
  readonly link: { readonly label: string; readonly url: string } | undefined
  readonly footer: string
}

interface MessageField {
  readonly label: string
  readonly value: string
}

/** A table. One with a single column is a list of sentences. */
export interface MessageTable {
  readonly title: string
  readonly columns: readonly { readonly label: string; readonly isNumber?: boolean }[]
  readonly rows: readonly (readonly string[])[]
}

/** Bars over time, the oldest first. */
export interface MessageChart {
  readonly title: string
  /** `at` is the text of the bar, such as `14:00` or `28 Nov`; `value` is USD as a plain decimal. */
  readonly points: readonly { readonly at: string; readonly value: string }[]
}
