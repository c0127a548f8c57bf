import { useState } from "preact/hooks"
import { formatExactMoment } from "../kit/format.ts"
import { type ProviderKey, toProviderKeyName } from "../kit/manage.ts"
import { useQuestion } from "../kit/question.ts"
import { Facts } from "../parts/card.tsx"
import { Dialog } from "../parts/dialog.tsx"
import { State } from "../parts/value.tsx"
import {
  MakeDefault,
  RemovedNote,
  type RemovedProviderKey,
  RemoveProviderKey,
  RotateProviderKey,
} from "./_provider-key-dialogs.tsx"

interface OpenedProps {
  readonly of: ProviderKey
  /** The other keys of its provider. */
  readonly others: readonly ProviderKey[]
  readonly mayChange: boolean
  /** Whether there is a vault key. */
  readonly canEncrypt: boolean
  readonly tz: string
  readonly onChange: () => void
  readonly onClose: () => void
}

/** One provider key, and what can be done with it. */
export function OpenedProviderKey({ of, others, mayChange, canEncrypt, tz, onChange, onClose }: OpenedProps) {
  const [action, setAction] = useState<"default" | "rotate" | "remove">()
  const [removed, setRemoved] = useState<RemovedProviderKey>()
  if (removed) return <RemovedNote removed={removed} tz={tz} onClose={onClose} />
  const back = () => setAction(undefined)
  if (action === "default") return <MakeDefault of={of} onDone={onChange} onClose={back} />
  if (action === "rotate") return <RotateProviderKey of={of} onDone={onChange} onClose={back} />
  if (action === "remove") {
    const done = (result: RemovedProviderKey) => {
      setRemoved(result)
      onChange()
    }
    return <RemoveProviderKey of={of} others={others} onDone={done} onClose={back} />
  }
  const isActive = of.status === "active"
  return (
    <Dialog title={toProviderKeyName(of)} class="is-wide" onClose={onClose}>
      <div class="gateways">
        <ProviderKeyFacts of={of} tz={tz} />
      </div>
      <div class="dialog-actions">
        {mayChange && isActive && (
          <>
            <button type="button" class="button danger" onClick={() => setAction("remove")}>
              Remove
            </button>
            {canEncrypt && (
              <button type="button" class="button" onClick={() => setAction("rotate")}>
                Rotate
              </button>
            )}
            {!of.is_default && (
              <button type="button" class="button" onClick={() => setAction("default")}>
                Make default
              </button>
            )}
          </>
        )}
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

function ProviderKeyFacts({ of, tz }: { readonly of: ProviderKey; readonly tz: string }) {
  const { hrefOf } = useQuestion()
  const time = (iso: string) => <time dateTime={iso}>{formatExactMoment(iso, tz)}</time>
  const bound = of.bound_keys.map(({ id, name }) => (
    <div key={id}>
      <a href={hrefOf("key", { id })}>
        <bdi>{name}</bdi>
      </a>
    </div>
  ))
  return (
    <Facts
      items={[
        ["State", <State key="state" is={of.status} />],
        ["Default", of.status === "removed" ? undefined : of.is_default ? `of ${of.provider}` : "no"],
        ["Kind", KINDS[of.kind]],
        ["Ends with", of.last_four === "" ? undefined : <code key="end">{of.last_four}</code>],
        ["Bound keys", bound.length === 0 ? "none" : bound],
        ["Last used", of.last_used_at === null ? "never" : time(of.last_used_at)],
        ["Created", time(of.created_at)],
        ["By", <bdi key="by">{of.created_by}</bdi>],
        ["Rotated", of.rotated_at === null ? "never" : time(of.rotated_at)],
        ["Removed", of.removed_at === null ? undefined : time(of.removed_at)],
        ["Vault key", of.vault_key_id === null ? undefined : <code key="vault">{of.vault_key_id}</code>],
        ["Id", <code key="id">{of.id}</code>],
      ]}
    />
  )
}

const KINDS = { key: "a key", aws: "an access key of AWS", google: "a service account of Google" } as const
