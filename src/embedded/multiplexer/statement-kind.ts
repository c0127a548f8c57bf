/**
 * The facts about a statement that the multiplexer needs before it runs. They are derived from its text; in doubt,
 * the safe choice is made.
 */
export interface StatementKind {
  /** It changes data or the schema. Such statements are rejected while the disk is nearly full. */
  readonly writes: boolean
  /** It may legitimately take minutes. */
  readonly long: boolean
  /** The time that the client gives it in a comment at its start. Undefined if it gives none. */
  readonly timeoutMs: number | undefined
  /** `one`: the text is a single COPY … FROM STDIN. `maybe`: the text may contain such a COPY. */
  readonly copyIn: "no" | "one" | "maybe"
  /** It may change the session's state: settings, roles, prepared statements, LISTEN. */
  readonly touchesSession: boolean
  /** It may deallocate the prepared statements of every client. */
  readonly forgetsStatements: boolean
  readonly makesTemporary: boolean
  /** The channels that it starts to listen on. */
  readonly listens: readonly string[]
  /** The channels that it stops to listen on, or `*`. */
  readonly unlistens: readonly string[]
}

/** Only this much of a text is examined. A longer text is a script: its start decides, and it counts as `long`. */
const MAX_SCANNED_CHARS = 256 * 1024
const START = String.raw`(?:^|;)\s*`
const WRITES =
  /(?:^|[;(]|\bas\b)\s*(?:insert|update|delete|merge|create|alter|copy|call|do|import|refresh|reindex|cluster|vacuum|analyze)\b/i
const LONG = new RegExp(
  `${START}(?:create|alter|do|call|copy|refresh|reindex|cluster|vacuum|analyze|checkpoint)\\b`,
  "i",
)
const TOUCHES = new RegExp(`${START}(?:set|reset|discard|deallocate|listen|unlisten)\\b|\\bset_config\\b`, "i")
const FORGETS = new RegExp(`${START}(?:discard|deallocate)\\b`, "i")
const TEMPORARY = /\b(?:create|into)\s+(?:global\s+|local\s+)?(?:or\s+replace\s+)?temp(?:orary)?\b/i
const COPY_IN = /\bcopy\b[\s\S]*\bfrom\s+stdin\b/i
const COPY_ONE = /^\s*copy\b[^;]*\bfrom\s+stdin\b[^;]*;?\s*$/i
/** How a client says how long it waits for a statement: a comment at the start of its text. */
const TIMEOUT = /^\/\* timeout: (\d{1,9}) ms \*\//
const CHANNEL = new RegExp(`${START}(listen|unlisten)\\s+("(?:[^"]|"")+"|\\*|[^\\s;]+)`, "gi")

export function toStatementKind(text: string): StatementKind {
  const bare = withoutComments(text.slice(0, MAX_SCANNED_CHARS))
  const listens: string[] = []
  const unlistens: string[] = []
  const touchesSession = TOUCHES.test(bare)
  if (touchesSession) {
    for (const [, verb, name] of bare.matchAll(CHANNEL)) {
      const channels = verb!.toLowerCase() === "listen" ? listens : unlistens
      channels.push(toChannel(name!))
    }
  }
  return {
    writes: WRITES.test(bare),
    timeoutMs: toMs(TIMEOUT.exec(text)?.[1]),
    long: LONG.test(bare) || text.length > MAX_SCANNED_CHARS,
    copyIn: COPY_ONE.test(bare) ? "one" : COPY_IN.test(bare) ? "maybe" : "no",
    touchesSession,
    forgetsStatements: FORGETS.test(bare),
    makesTemporary: TEMPORARY.test(bare),
    listens,
    unlistens,
  }
}

const toMs = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits))

function withoutComments(text: string): string {
  return text.includes("--") || text.includes("/*") ? text.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ") : text
}

/** Folds an identifier as PostgreSQL does: lower case, unless it is quoted. */
function toChannel(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}
