import { setTimeout as delay } from "node:timers/promises"
import { ConnectionError } from "../../api/remote-errors.ts"
import { MAX_FIRST_ROWS, TAIL_MESSAGES } from "../../api/routes/requests.ts"
import type { RequestRow } from "../../operations/requests/row.ts"

const RETRY_MS = 500
/** More than a gateway returns when it is asked again. */
const REMEMBERED_IDS = 2 * MAX_FIRST_ROWS

interface Following {
  /** How many of the newest rows to begin with. */
  readonly limit: string | undefined
  readonly signal: AbortSignal
  /** Follows until the connection ends, beginning with so many rows. `onOpen` is called as soon as the gateway answers. */
  follow(limit: string | undefined, onRow: (row: RequestRow) => void, onOpen: () => void): Promise<void>
  show(row: RequestRow): void
  note(text: string): void
}

/**
 * Follows the requests of a gateway until the signal aborts. If the connection ends, it connects again and shows the rows
 * that were written meanwhile, each once. Without a gateway, `follow` connects to its database again by itself.
 *
 * @throws CommandError if the gateway rejects the call, or does not answer at the beginning
 */
export async function followAgain({ limit, signal, follow, show, note }: Following): Promise<void> {
  const unseen = createUnseen()
  let hasBegun = false
  let isGone = false
  const onOpen = () => {
    if (isGone) note(TAIL_MESSAGES.recovered)
    hasBegun = true
    isGone = false
  }
  while (!signal.aborted) {
    // Without any row, nothing says which ones are new.
    const isFirst = !hasBegun || (limit === "0" && unseen.isEmpty())
    const take = unseen.start()
    const onRow = (row: RequestRow) => {
      const { isNew, hasGap } = take(row)
      if (hasGap) note("note: more requests were written meanwhile than are shown: usage requests lists them")
      if (isNew) show(row)
    }
    try {
      return await follow(isFirst ? limit : String(MAX_FIRST_ROWS), onRow, onOpen)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof ConnectionError) || !hasBegun) throw error
      if (!isGone) note(TAIL_MESSAGES.outage)
      isGone = true
      await delay(RETRY_MS, undefined, { signal }).catch(() => {})
    }
  }
}

/** Finds out which rows of several connections are new. Each connection begins with the newest rows, oldest first. */
function createUnseen() {
  const ids = new Set<string>()
  /** When the first row of all ended. Of the rows that a later connection begins with, those before it are older ones. */
  let oldest: number | undefined
  const remember = (id: string) => {
    ids.add(id)
    if (ids.size > REMEMBERED_IDS) ids.delete(ids.values().next().value!)
  }
  return {
    isEmpty: () => ids.size === 0,
    /** Begins a connection. Its rows are passed to the function that is returned. */
    start() {
      const isLater = ids.size > 0
      let isFirst = true
      return (row: RequestRow): { readonly isNew: boolean; readonly hasGap: boolean } => {
        const id = String(row["id"])
        const at = new Date(row["created_at"] as string).getTime()
        oldest ??= at
        const isNew = !ids.has(id) && !(isLater && at < oldest)
        const hasGap = isLater && isFirst && isNew
        isFirst = false
        remember(id)
        return { isNew, hasGap }
      }
    },
  }
}
