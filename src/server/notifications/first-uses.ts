import { UNANSWERED } from "../../core/cost.ts"
import type { LogRecord } from "../../core/log-record.ts"
import type { NewKeyFacts, UnpricedModelFacts } from "../../core/notification.ts"
import type { Database } from "../../database/_database.ts"
import { findNewKeys, findNewlyUnpriced } from "../../database/first-uses.ts"
import { isWanted } from "../../notifications/rules.ts"
import type { Outbox } from "./outbox.ts"
import type { NotificationOptions } from "./parts.ts"

/** Keys and models that were looked up and are not looked up again. More are forgotten, all at once. */
const MOST_KNOWN = 10_000
/** Those that wait for a look-up. More are looked up when they are seen again. */
const MOST_CANDIDATES = 1_000

type Seen = Pick<LogRecord, "id" | "provider" | "model"> & { readonly keyId: string | undefined }

/** Names that are looked up once. */
function createCandidates() {
  const known = new Set<string>()
  const waiting = new Map<string, Seen>()
  return {
    waiting,
    /** Whether a name is neither known nor waits for a look-up. */
    isNew: (name: string) => !known.has(name) && !waiting.has(name) && waiting.size < MOST_CANDIDATES,
    settle(names: readonly string[]): void {
      if (known.size > MOST_KNOWN) known.clear()
      for (const name of names) {
        known.add(name)
        waiting.delete(name)
      }
    },
  }
}

interface FirstUses {
  /** Takes a published row. It is on the way of each request, and only remembers. */
  onRecord(record: LogRecord): void
  /** Asks the database about what was seen. Rejects if it is away. */
  work(): Promise<void>
}

/** Finds keys and models without a price that are used for the first time, as the database knows it. */
export function createFirstUses(
  { settings, database }: Pick<NotificationOptions, "settings"> & { readonly database: Database },
  { notify }: Pick<Outbox, "notify">,
): FirstUses {
  const [keys, models] = [createCandidates(), createCandidates()]
  const wantsKeys = isWanted("new_key", settings.notifications)
  const wantsModels = isWanted("unpriced_model", settings.notifications)

  async function findKeys(): Promise<void> {
    const asked = [...keys.waiting]
    if (asked.length === 0) return
    for (const found of await findNewKeys(
      database,
      asked.map(([id]) => id),
    )) {
      const seen = keys.waiting.get(found.keyId)
      if (seen === undefined) continue
      const { requestId, provider, model } = found
      const facts: NewKeyFacts = {
        key_id: found.keyId,
        name: found.name ?? found.keyId,
        provider: provider ?? seen.provider,
        model: (model ?? seen.model) || undefined,
        request_id: requestId ?? seen.id,
      }
      notify({
        kind: "new_key",
        subject: found.keyId,
        window: "",
        severity: "info",
        at: new Date().toISOString(),
        facts,
      })
    }
    keys.settle(asked.map(([id]) => id))
  }

  async function findModels(): Promise<void> {
    const asked = [...models.waiting]
    if (asked.length === 0) return
    for (const { provider, model, key } of await findNewlyUnpriced(
      database,
      asked.map(([, seen]) => seen),
    )) {
      const subject = toName(provider, model)
      const seen = models.waiting.get(subject)
      if (seen === undefined) continue
      const facts: UnpricedModelFacts = { provider, model, key: key ?? undefined, request_id: seen.id }
      notify({ kind: "unpriced_model", subject, window: "", severity: "warning", at: new Date().toISOString(), facts })
    }
    models.settle(asked.map(([name]) => name))
  }

  return {
    onRecord(record) {
      const { id, provider, model, majordomo_api_key_id: keyId } = record
      if (wantsKeys && keyId !== undefined && keys.isNew(keyId)) keys.waiting.set(keyId, { id, provider, model, keyId })
      if (!wantsModels || !isUnpriced(record)) return
      const name = toName(provider, model)
      if (models.isNew(name)) models.waiting.set(name, { id, provider, model, keyId })
    },
    async work() {
      await findKeys()
      await findModels()
    },
  }
}

const toName = (provider: string, model: string) => `${provider}/${model}`

/** Whether a complete answer has no cost because nobody knows a price. Without an answer, the usage is what is not known. */
function isUnpriced({ cost_status, outcome, status_code, model, price }: LogRecord): boolean {
  if (cost_status !== "unpriced" || outcome !== "complete" || status_code >= 400 || model === "") return false
  return price?.reason !== UNANSWERED
}
