import { useState } from "preact/hooks"
import { change } from "../kit/api.ts"
import { type Gateways, type ProviderKey, toProviderKeyName } from "../kit/manage.ts"
import { Dialog, FormDialog } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/form.tsx"
import { GatewayAnswers } from "./_gateways.tsx"

type Kind = ProviderKey["kind"]
type Values = Readonly<Record<string, string>>

interface AddProps {
  /** The providers of the gateway's settings. */
  readonly providers: readonly string[]
  readonly onDone: () => void
  readonly onClose: () => void
}

interface OneKeyProps<Result = void> {
  readonly of: ProviderKey
  readonly onDone: (result: Result) => void
  readonly onClose: () => void
}

const KINDS: readonly (readonly [Kind, string])[] = [
  ["key", "a key that is sent as it is"],
  ["aws", "an access key of AWS, for Bedrock"],
  ["google", "a service account of Google, for Vertex AI"],
]

/** The fields of a secret. What is typed into them is sent once, and kept nowhere. */
function SecretFields({ kind }: { readonly kind: Kind }) {
  if (kind === "aws") {
    return (
      <>
        <Field label="Access key id" name="access_key" type="password" isRequired />
        <Field label="Secret access key" name="secret" type="password" isRequired />
      </>
    )
  }
  const hint =
    kind === "google"
      ? "Paste the whole JSON file. No page shows it again."
      : "It is encrypted, and no page shows it again."
  return <Field label={kind === "google" ? "JSON" : "Secret"} name="secret" type="password" hint={hint} isRequired />
}

/** Returns the secret as the API reads it: the two parts of an access key are lines. */
function toSecret({ access_key: id, secret = "" }: Values): string {
  return id === undefined ? secret : `${id}\n${secret}`
}

export function AddProviderKey({ providers, onDone, onClose }: AddProps) {
  const [kind, setKind] = useState<Kind>("key")
  const options = [["", "Choose a provider"] as const, ...providers.map((name) => [name, name] as const)]
  const submit = async ({ provider, alias, kind, default: isDefault, ...values }: Values) => {
    const secret = toSecret(values)
    const names = { provider, kind, ...(alias && { alias }), ...(isDefault && { default: true }) }
    await change("POST", "/provider-keys", { ...names, secret })
    onDone()
  }
  return (
    <FormDialog title="Add a provider key" action="Add" onSubmit={submit} onClose={onClose}>
      <Choice label="Provider" name="provider" options={options} isRequired />
      <Field label="Alias" name="alias" placeholder="default" hint="Its name, such as team-a." />
      <Choice label="Kind" name="kind" value={kind} options={KINDS} onChange={(chosen) => setKind(chosen as Kind)} />
      <SecretFields key={kind} kind={kind} />
      <label class="check">
        <input type="checkbox" name="default" />
        Make it the default of its provider
      </label>
    </FormDialog>
  )
}

export function RotateProviderKey({ of, onDone, onClose }: OneKeyProps) {
  const submit = async (values: Values) => {
    await change("POST", `${toPath(of)}/rotate`, { secret: toSecret(values) })
    onDone()
  }
  return (
    <FormDialog title="Rotate the provider key" action="Rotate" onSubmit={submit} onClose={onClose}>
      <p>
        The next requests with <Name of={of} /> use the new secret, and no request fails. Then revoke the old one at the
        provider.
      </p>
      <SecretFields kind={of.kind} />
    </FormDialog>
  )
}

export function MakeDefault({ of, onDone, onClose }: OneKeyProps) {
  const submit = async () => {
    await change("PATCH", toPath(of), { default: true })
    onDone()
  }
  return (
    <FormDialog title="Make it the default" action="Make default" onSubmit={submit} onClose={onClose}>
      <p>
        From now on, API keys use <Name of={of} /> that are bound to no other key of {of.provider}.
      </p>
    </FormDialog>
  )
}

export type RemovedProviderKey = ProviderKey & { readonly gateways: Gateways; readonly left_without_default: number }

interface RemoveProps extends OneKeyProps<RemovedProviderKey> {
  /** The other keys of its provider. */
  readonly others: readonly ProviderKey[]
}

/** Asks whether a key is to be removed, and says which requests will be rejected then. */
export function RemoveProviderKey({ of, others, onDone, onClose }: RemoveProps) {
  const submit = async () => onDone(await change<RemovedProviderKey>("POST", `${toPath(of)}/remove`))
  const isLast = others.every(({ status }) => status === "removed")
  return (
    <FormDialog title="Remove the provider key" action="Remove" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        The secret of <Name of={of} /> is deleted. This cannot be undone.
      </p>
      {of.bound_keys.length > 0 && (
        <>
          <p>{`Requests to ${of.provider} with these API keys are rejected until they are bound to another key or to none:`}</p>
          <ul>
            {of.bound_keys.map(({ id, name }) => (
              <li key={id}>
                <bdi class="name">{name}</bdi>
              </li>
            ))}
          </ul>
        </>
      )}
      {of.is_default && (
        <p>
          {isLast
            ? `It is the last key of ${of.provider}: clients without a binding must send the provider's key themselves.`
            : `It is the default of ${of.provider}: API keys without a binding have no key of it until another one is the default.`}
        </p>
      )}
    </FormDialog>
  )
}

interface RemovedProps {
  readonly removed: RemovedProviderKey
  readonly tz: string
  readonly onClose: () => void
}

/** Says which gateways know of a removal, and what is left to do. */
export function RemovedNote({ removed, tz, onClose }: RemovedProps) {
  return (
    <Dialog title="The provider key is removed" onClose={onClose}>
      <GatewayAnswers gateways={removed.gateways} tz={tz} verb="use" />
      <p>Revoke it at the provider, too.</p>
      {removed.left_without_default > 0 && (
        <p>{`${removed.provider} has no default key now. Make another one the default.`}</p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  )
}

function Name({ of }: { readonly of: ProviderKey }) {
  return <bdi class="name">{toProviderKeyName(of)}</bdi>
}

const toPath = ({ id }: ProviderKey) => `/provider-keys/${encodeURIComponent(id)}`
