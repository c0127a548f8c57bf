/** An API key. Times are ISO 8601. */
export interface Key {
  readonly id: string
  readonly name: string
  readonly description: string | null
  /** In percent of the list prices. */
  readonly discount_percent: string | null
  /** The provider keys that it is bound to. */
  readonly provider_keys: readonly Binding[]
  readonly default_metadata: Readonly<Record<string, string>>
  readonly locked_metadata: Readonly<Record<string, string>>
  readonly required_metadata: readonly string[]
  /** Null: never. */
  readonly expires_at: string | null
  /** Patterns; null: any. */
  readonly models: readonly string[] | null
  /** Null: any. */
  readonly providers: readonly string[] | null
  /** Until when the secret before the last rotation works. Null: it does not. */
  readonly previous_secret_until: string | null
  /** The limits on this key alone. */
  readonly limits: readonly KeyLimit[]
  readonly status: "active" | "expired" | "revoked"
  readonly created_at: string
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  readonly request_count: number
}

interface KeyLimit {
  readonly name: string
  readonly measure: string
  /** A plain decimal; USD for `cost`. */
  readonly amount: string
  readonly window: string
}

/** Formats a limit: `50 USD per month`. */
export function formatLimit({ measure, amount, window }: KeyLimit): string {
  if (measure === "concurrency") return `${amount} requests at the same time`
  const unit = measure === "cost" ? "USD" : measure.replace("_", " ")
  return `${amount} ${unit} ${window === "total" ? "in total" : `per ${window}`}`
}

const WARNING_MS = 14 * 86_400_000

/** Returns whether something expires within 14 days, or has expired. */
export function expiresSoon(iso: string | null, now = Date.now()): boolean {
  return iso !== null && Date.parse(iso) - now < WARNING_MS
}

export interface Binding {
  readonly provider: string
  readonly alias: string
  /** Its requests to the provider are rejected. */
  readonly removed: boolean
}

/** A key of a provider that the gateway holds. No answer has its secret. */
export interface ProviderKey {
  readonly id: string
  readonly provider: string
  readonly alias: string
  readonly kind: "key" | "aws" | "google"
  readonly status: "active" | "removed"
  readonly is_default: boolean
  /** Empty: the key is short. */
  readonly last_four: string
  readonly vault_key_id: string | null
  readonly created_at: string
  readonly created_by: string
  readonly rotated_at: string | null
  readonly last_used_at: string | null
  readonly removed_at: string | null
  readonly bound_keys: readonly { readonly id: string; readonly name: string }[]
}

/** The vault key of the gateway, and how many provider keys it can decrypt. */
export interface Vault {
  /** Null: there is no vault key. */
  readonly vault_key_id: string | null
  /** Why the vault keys cannot be read. */
  readonly problem: string | null
  readonly encrypted: readonly {
    readonly vault_key_id: string
    readonly provider_keys: number
    readonly readable: number
  }[]
}

/** Returns the name of a provider key: `openai:team-a`. */
export function toProviderKeyName({ provider, alias }: Pick<ProviderKey, "provider" | "alias">): string {
  return `${provider}:${alias}`
}

/** What the running gateways answered to a revocation. */
export interface Gateways {
  readonly acknowledged: readonly { readonly name: string }[]
  /** They may accept the key while they cannot reach the database. */
  readonly silent: readonly {
    readonly name: string
    readonly last_seen_at: string
    /** Null: an older version, which has no limit. */
    readonly accepts_until: string | null
  }[]
}

export interface AdminToken {
  readonly id: string
  readonly name: string
  readonly role: "viewer" | "auditor" | "admin"
  readonly status: "active" | "expired" | "revoked"
  readonly created_at: string
  readonly created_by: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
}

export interface SignedIn {
  readonly id: string
  readonly name: string
  readonly role: AdminToken["role"]
  readonly how: "token" | "code" | "oidc"
  readonly address: string | null
  readonly status: "active" | "expired" | "ended"
  readonly created_at: string
  readonly expires_at: string
  readonly last_seen_at: string
}

/** Who changed what. */
export interface AuditEntry {
  readonly id: string
  readonly at: string
  readonly actor_kind: string
  readonly actor_name: string
  readonly address: string | null
  readonly action: string
  readonly target: string | null
  readonly before: unknown
  readonly after: unknown
}

const isActive = ({ status }: { readonly status: string }) => status === "active"

/** Returns the ones that are active and the others, each in the order that they had. */
export function divide<T extends { readonly status: string }>(items: readonly T[]) {
  return { active: items.filter(isActive), past: items.filter((item) => !isActive(item)) }
}

/** Returns the items one of whose texts contains each word of `search`, in any case. */
export function search<T>(items: readonly T[], words: string, textOf: (item: T) => string): readonly T[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  if (wanted.length === 0) return items
  return items.filter((item) => {
    const text = textOf(item).toLowerCase()
    return wanted.every((word) => text.includes(word))
  })
}
