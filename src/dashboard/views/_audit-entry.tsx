import { formatExactMoment } from "../kit/format.ts"
import type { AuditEntry } from "../kit/manage.ts"
import { Facts } from "../parts/card.tsx"
import { Dialog } from "../parts/dialog.tsx"

const WHAT: Readonly<Record<string, string>> = {
  "keys.create": "Created the key",
  "keys.update": "Updated the key",
  "keys.rotate": "Rotated the key",
  "keys.revoke": "Revoked the key",
  "keys.discard": "Took back the unseen secret of the key",
  "provider-keys.add": "Stored the provider key",
  "provider-keys.update": "Made the default the provider key",
  "provider-keys.rotate": "Rotated the provider key",
  "provider-keys.remove": "Removed the provider key",
  "vault.rotate": "Replaced the vault key",
  "tokens.create": "Created the admin token",
  "tokens.revoke": "Revoked the admin token",
  "tokens.discard": "Deleted the unused admin token",
  "sessions.create": "Signed in:",
  "sessions.reject": "Failed to sign in",
  "sessions.revoke": "Ended the session of",
  "codes.create": "Created a link to sign in",
  "metadata.activate": "Activated the metadata name",
  "metadata.deactivate": "Deactivated the metadata name",
  "pricing.set": "Set the price of",
  "pricing.unset": "Removed the price of",
  "pricing.refresh": "Refreshed the price lists",
  "pricing.reprice": "Repriced requests",
  reconcile: "Compared the bill of",
  "reconcile.import": "Imported the bill of",
  prune: "Pruned requests",
}

/** Returns what was done, as a person says it. */
export function toWhat(action: string): string {
  return WHAT[action] ?? action
}

/** Returns the name of what was changed, or else its id. */
export function toName({ target, before, after }: AuditEntry): string {
  const named = [after, before].map((value) => nameOf(toRecord(value))).find((name) => typeof name === "string")
  return (named as string | undefined) ?? target ?? ""
}

/** A provider key has an alias among those of its provider. */
function nameOf({ name, provider, alias }: Readonly<Record<string, unknown>>): unknown {
  return typeof alias === "string" ? `${provider}:${alias}` : name
}

interface EntryProps {
  readonly entry: AuditEntry
  readonly tz: string
  readonly onClose: () => void
}

/** One change: who made it, and each value before and after it. */
export function EntryDialog({ entry, tz, onClose }: EntryProps) {
  const { at, actor_name, actor_kind, address, action, target } = entry
  return (
    <Dialog title={`${toWhat(action)} ${toName(entry)}`} class="is-wide" onClose={onClose}>
      <div class="gateways">
        <Facts
          items={[
            ["Who", <bdi key="who">{`${actor_name} (${actor_kind})`}</bdi>],
            ["From", address ?? undefined],
            [
              "When",
              <time key="when" dateTime={at}>
                {formatExactMoment(at, tz)}
              </time>,
            ],
            ["What", <code key="what">{action}</code>],
            ["On", target === null ? undefined : <code key="on">{target}</code>],
          ]}
        />
      </div>
      <Difference entry={entry} />
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

/** The values that differ; all of them where something was created or ended. */
function Difference({ entry }: { readonly entry: AuditEntry }) {
  const [before, after] = [toRecord(entry.before), toRecord(entry.after)]
  const isChange = entry.before !== null && entry.after !== null
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => !isChange || toText(before[name]) !== toText(after[name]),
  )
  if (names.length === 0) return null
  return (
    <div class="changes">
      <table class="table">
        <caption class="hidden">Values before and after</caption>
        <thead>
          <tr>
            <th scope="col">Field</th>
            {entry.before !== null && <th scope="col">Before</th>}
            {entry.after !== null && <th scope="col">After</th>}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{name.replaceAll("_", " ")}</th>
              {entry.before !== null && (
                <td>
                  <bdi>{toText(before[name])}</bdi>
                </td>
              )}
              {entry.after !== null && (
                <td>
                  <bdi>{toText(after[name])}</bdi>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** A value that is not an object is shown under one name. */
function toRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (value === null || value === undefined) return {}
  return typeof value === "object" ? (value as Readonly<Record<string, unknown>>) : { value }
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return "—"
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}
