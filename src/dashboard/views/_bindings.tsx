import { type Binding, type Key, type ProviderKey, toProviderKeyName } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { Choice } from "../parts/form.tsx"

const FIELD = "provider key of "

/** Asks for the provider keys before a dialog needs them, so that nothing in it moves. */
export function useProviderKeys(isNeeded: boolean): readonly ProviderKey[] {
  return useQuery<readonly ProviderKey[]>(isNeeded ? "/provider-keys" : undefined).data ?? []
}

interface BindingFieldsProps {
  readonly providerKeys: readonly ProviderKey[]
  /** The present bindings of an API key. */
  readonly bindings: readonly Binding[]
}

/** One choice for each provider whose keys the gateway holds. */
export function BindingFields({ providerKeys, bindings }: BindingFieldsProps) {
  const active = providerKeys.filter(({ status }) => status === "active")
  const providers = [...new Set([...active, ...bindings].map(({ provider }) => provider))].sort()
  return (
    <>
      {providers.map((provider) => {
        const bound = bindings.find((binding) => binding.provider === provider)
        const aliases = active.filter((key) => key.provider === provider).map(({ alias }) => alias)
        return (
          <Choice
            key={provider}
            label={`Provider key of ${provider}`}
            name={FIELD + provider}
            value={bound === undefined ? "" : toValue(bound)}
            options={[
              ["", "not bound: the default key"],
              ...(bound?.removed ? [[toValue(bound), `${bound.alias}, which was removed`] as const] : []),
              ...aliases.map((alias) => [alias, alias] as const),
            ]}
          />
        )
      })}
    </>
  )
}

/** An alias contains no `:`, so that a removed key differs from another one with its name. */
const toValue = ({ alias, removed }: Binding) => (removed ? `:${alias}` : alias)

/** Splits the values of a form into the changes of bindings, as the API expects them, and the other values. */
export function splitBindings(values: Readonly<Record<string, string>>, of?: Pick<Key, "provider_keys">) {
  const others: Record<string, string> = {}
  const changes: string[] = []
  for (const [name, value] of Object.entries(values)) {
    if (!name.startsWith(FIELD)) {
      others[name] = value
      continue
    }
    const provider = name.slice(FIELD.length)
    const bound = of?.provider_keys.find((binding) => binding.provider === provider)
    if (value !== (bound === undefined ? "" : toValue(bound))) changes.push(`${provider}:${value}`)
  }
  return { others, bindings: changes.length === 0 ? {} : { provider_keys: changes } }
}

/** The provider keys that an API key is bound to; undefined: none. */
export function BoundTo({ bindings }: { readonly bindings: readonly Binding[] }) {
  return (
    <bdi>
      {bindings.map((binding) => toProviderKeyName(binding) + (binding.removed ? " (removed)" : "")).join(", ")}
    </bdi>
  )
}
