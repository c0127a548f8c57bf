import { change } from "../kit/api.ts"
import type { Gateways, Key, ProviderKey } from "../kit/manage.ts"
import { formatValues, parseNames, parseValues } from "../kit/metadata.ts"
import { Dialog, FormDialog, SecretDialog } from "../parts/dialog.tsx"
import { Field } from "../parts/form.tsx"
import { BindingFields, splitBindings } from "./_bindings.tsx"
import { GatewayAnswers } from "./_gateways.tsx"
import { PolicyFields, splitPolicy } from "./_key-policy.tsx"

export type CreatedKey = Key & { readonly key: string }
export type RotatedKey = CreatedKey & { readonly gateways: Gateways }
export type RevokedKey = Key & { readonly gateways: Gateways }

interface DialogProps<Result> {
  readonly onDone: (result: Result) => void
  readonly onClose: () => void
}

interface FieldsProps {
  readonly value?: Key
  readonly providerKeys: readonly ProviderKey[]
}

function KeyFields({ value, providerKeys }: FieldsProps) {
  return (
    <>
      <Field label="Name" name="name" value={value?.name ?? ""} hint="Reports show the key by it." isRequired isFirst />
      <Field
        label="Description"
        name="description"
        value={value?.description ?? ""}
        hint="What it is for. It may be empty."
      />
      <Field
        label="Discount in percent"
        name="discount"
        value={value?.discount_percent ?? ""}
        hint="What the provider takes off its list prices for this key. It may be empty."
      />
      <Field
        label="Default metadata"
        name="defaults"
        value={formatValues(value?.default_metadata ?? {})}
        hint="For requests that have none of these names, such as Team=search, Feature=chat."
      />
      <Field
        label="Locked metadata"
        name="locked"
        value={formatValues(value?.locked_metadata ?? {})}
        hint="Replaces what clients send, such as Cost-Center=42."
      />
      <Field
        label="Required metadata"
        name="required"
        value={value?.required_metadata.join(", ") ?? ""}
        hint="Requests without these names are rejected, such as User-Id, Feature."
      />
      <BindingFields providerKeys={providerKeys} bindings={value?.provider_keys ?? []} />
      <PolicyFields value={value} />
    </>
  )
}

type WithProviderKeys = Pick<FieldsProps, "providerKeys">

export function CreateKey({ providerKeys, onDone, onClose }: DialogProps<CreatedKey> & WithProviderKeys) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    const { others: fields, policy } = splitPolicy(values)
    const { others, bindings } = splitBindings(fields)
    const { name, description, discount, ...metadata } = others
    onDone(
      await change<CreatedKey>("POST", "/keys", {
        name,
        ...(description && { description }),
        ...(discount && { discount }),
        ...toMetadataChange(metadata),
        ...bindings,
        ...policy,
      }),
    )
  }
  return (
    <FormDialog title="Create an API key" action="Create" onSubmit={submit} onClose={onClose}>
      <KeyFields providerKeys={providerKeys} />
    </FormDialog>
  )
}

/** Returns the kinds of metadata that a form changes. */
function toMetadataChange(
  { defaults = "", locked = "", required = "" }: Readonly<Record<string, string>>,
  of?: Key,
): Partial<Pick<Key, "default_metadata" | "locked_metadata" | "required_metadata">> {
  return {
    ...(defaults !== formatValues(of?.default_metadata ?? {}) && { default_metadata: parseValues(defaults) }),
    ...(locked !== formatValues(of?.locked_metadata ?? {}) && { locked_metadata: parseValues(locked) }),
    ...(required !== (of?.required_metadata ?? []).join(", ") && { required_metadata: parseNames(required) }),
  }
}

interface OneKeyProps<Result> extends DialogProps<Result> {
  readonly of: Key
}

export function UpdateKey({ of, providerKeys, onDone, onClose }: OneKeyProps<Key> & WithProviderKeys) {
  const submit = async (values: Readonly<Record<string, string>>) => {
    const { others: fields, policy } = splitPolicy(values, of)
    const { others, bindings } = splitBindings(fields, of)
    const { name = "", description = "", discount = "", ...metadata } = others
    const changes = {
      ...(name !== of.name && { name }),
      ...(description !== (of.description ?? "") && { description }),
      ...(discount !== (of.discount_percent ?? "") && { discount: discount === "" ? "0" : discount }),
      ...toMetadataChange(metadata, of),
      ...bindings,
      ...policy,
    }
    onDone(Object.keys(changes).length === 0 ? of : await change<Key>("PATCH", toPath(of), changes))
  }
  return (
    <FormDialog title="Update the API key" action="Save" onSubmit={submit} onClose={onClose}>
      <KeyFields value={of} providerKeys={providerKeys} />
    </FormDialog>
  )
}

export function RotateKey({ of, onDone, onClose }: OneKeyProps<RotatedKey>) {
  const submit = async ({ grace = "" }: Readonly<Record<string, string>>) =>
    onDone(await change<RotatedKey>("POST", `${toPath(of)}/rotate`, grace === "" ? {} : { grace }))
  return (
    <FormDialog title="Rotate the API key" action="Rotate" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        <bdi class="name">{of.name}</bdi> gets a new secret, and keeps its settings. Without a grace period, the old
        secret stops working at once, so that clients fail until they have the new one.
      </p>
      <Field
        label="Grace period"
        name="grace"
        hint="How long the old secret still works, such as 24h or 7d. Empty: not at all. An even older secret ends now."
      />
    </FormDialog>
  )
}

export function RevokeKey({ of, onDone, onClose }: OneKeyProps<RevokedKey>) {
  const submit = async () => onDone(await change<RevokedKey>("POST", `${toPath(of)}/revoke`))
  return (
    <FormDialog title="Revoke the API key" action="Revoke" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        Every gateway rejects <bdi class="name">{of.name}</bdi> from now on. This cannot be undone. Its requests stay in
        the reports.
      </p>
    </FormDialog>
  )
}

const toPath = ({ id }: Key) => `/keys/${encodeURIComponent(id)}`

interface SecretProps {
  readonly created: CreatedKey | RotatedKey
  readonly tz: string
  readonly onClose: () => void
}

/** Shows the secret of a new or rotated key. */
export function KeySecret({ created, tz, onClose }: SecretProps) {
  return (
    <SecretDialog title="The new API key" secret={created.key} onClose={onClose}>
      <p>
        Clients send it as <code>X-Majordomo-Key</code>.
      </p>
      {"gateways" in created && <GatewayAnswers gateways={created.gateways} tz={tz} />}
    </SecretDialog>
  )
}

interface RevocationProps {
  readonly revoked: RevokedKey
  readonly tz: string
  readonly onClose: () => void
}

/** Says which gateways know of a revocation. */
export function Revocation({ revoked, tz, onClose }: RevocationProps) {
  return (
    <Dialog title="The key is revoked" onClose={onClose}>
      <GatewayAnswers gateways={revoked.gateways} tz={tz} />
      <div class="dialog-actions">
        <button type="button" class="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  )
}
