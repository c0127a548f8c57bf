import { useState } from "preact/hooks"
import { formatCount } from "../kit/format.ts"
import { navigate } from "../kit/location.ts"
import { divide, type ProviderKey, search, toProviderKeyName, type Vault } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion, withParams } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Search } from "../parts/search.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { MaybeMoment, Moment } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { OpenedProviderKey } from "./_provider-key.tsx"
import { AddProviderKey } from "./_provider-key-dialogs.tsx"

/** The keys of providers that the gateway holds, and the API keys that are bound to them. */
export function ProviderKeys({ session }: PageProps) {
  const { params, tz, href } = useQuestion()
  const keys = useQuery<readonly ProviderKey[]>("/provider-keys")
  const vault = useQuery<Vault>("/vault")
  const [isAdding, setAdding] = useState(false)
  const failed = [keys, vault].find(({ problem }) => problem)
  if (failed?.problem) return <Failure problem={failed.problem} retry={failed.reload} />
  const isLoaded = keys.data !== undefined && vault.data !== undefined
  const words = params.get("q") ?? ""
  const { active, past } = divide(search(keys.data ?? [], words, toText))
  const opened = keys.data?.find(({ id }) => id === params.get("id"))
  const mayChange = isAllowed(session.role, "admin")
  const reload = () => [keys, vault].forEach((each) => void each.reload())
  const hrefOf = ({ id }: ProviderKey) => href(withParams(params, { id }))
  return (
    <>
      <Card
        title={isLoaded ? `${formatCount(active.length)} active` : "Active"}
        actions={
          <>
            <Search label="Search provider keys" />
            {mayChange && vault.data?.vault_key_id && (
              <button type="button" class="button primary" onClick={() => setAdding(true)}>
                Add provider key
              </button>
            )}
          </>
        }
      >
        {!isLoaded && <Skeleton lines={10} />}
        {isLoaded && <VaultNote vault={vault.data!} />}
        {isLoaded && active.length === 0 && <NoKeys words={words} hasVault={vault.data!.vault_key_id !== null} />}
        {isLoaded && active.length > 0 && (
          <LongTable
            label="Active provider keys"
            columns={toColumns(tz)}
            rows={active}
            keyOf={({ id }) => id}
            hrefOf={hrefOf}
          />
        )}
      </Card>
      {past.length > 0 && (
        <Card title={`${formatCount(past.length)} removed`}>
          <LongTable
            label="Removed provider keys"
            columns={toRemovedColumns(tz)}
            rows={past}
            keyOf={({ id }) => id}
            hrefOf={hrefOf}
          />
        </Card>
      )}
      {isAdding && (
        <AddProviderKey providers={vault.data!.providers} onDone={reload} onClose={() => setAdding(false)} />
      )}
      {opened && (
        <OpenedProviderKey
          of={opened}
          others={keys.data!.filter((one) => one !== opened && one.provider === opened.provider)}
          mayChange={mayChange}
          canEncrypt={vault.data !== undefined && vault.data.vault_key_id !== null}
          tz={tz}
          onChange={reload}
          onClose={() => navigate(href(withParams(params, { id: undefined })), { replace: true })}
        />
      )}
    </>
  )
}

const toText = (key: ProviderKey) =>
  `${key.id} ${toProviderKeyName(key)} ${key.kind} ${key.bound_keys.map(({ name }) => name).join(" ")}`

/** Why keys cannot be stored or used. */
function VaultNote({ vault: { vault_key_id: id, problem, encrypted } }: { readonly vault: Vault }) {
  const unreadable = encrypted.filter(({ provider_keys: all, readable }) => readable < all)
  if (id !== null && unreadable.length === 0) return null
  return (
    <div class="gateways is-warned">
      {problem !== null && <p>{problem}</p>}
      {problem === null && id === null && encrypted.length === 0 && (
        <p>
          The gateway has no vault key, so it cannot encrypt provider keys. Run{" "}
          <code>majordomo-gateway vault init</code> on its machine, or set <code>vault.key</code>.
        </p>
      )}
      {unreadable.map(({ vault_key_id: other, provider_keys: all, readable }) => (
        <p key={other}>
          {`${formatCount(all - readable)} of these keys cannot be decrypted, and requests with them fail: the gateway does not have the vault key `}
          <code>{other}</code>. {id === null ? "Restore its file, or set " : "Rotate the keys, or add it to "}
          <code>{id === null ? "vault.key" : "vault.previous_keys"}</code>.
        </p>
      ))}
    </div>
  )
}

function NoKeys({ words, hasVault }: { readonly words: string; readonly hasVault: boolean }) {
  if (words !== "") return <Empty title="No active provider key matches">Search for another name.</Empty>
  return (
    <Empty title="The gateway holds no provider key">
      <p>
        {hasVault
          ? "With one, clients need only their gateway key. Until then, they send the provider's key themselves."
          : "Clients send the provider's key themselves."}
      </p>
    </Empty>
  )
}

const NAME: Column<ProviderKey> = {
  title: "Name",
  cell: (key) => (
    <bdi title={toProviderKeyName(key)}>
      {toProviderKeyName(key)}
      {key.is_default && <span class="quiet aside">default</span>}
    </bdi>
  ),
  isWide: true,
}

function toColumns(tz: string): Column<ProviderKey>[] {
  return [
    NAME,
    { title: "Kind", cell: ({ kind }) => kind, hide: "l" },
    { title: "Ends with", cell: ({ last_four: end }) => <code>{end || "—"}</code>, hide: "m" },
    {
      title: "Bound keys",
      cell: ({ bound_keys: bound }) => (
        <bdi class="cut" title={bound.map(({ name }) => name).join(", ")}>
          {bound.length === 1 ? bound[0]!.name : formatCount(bound.length)}
        </bdi>
      ),
      hide: "m",
    },
    { title: "Created", cell: ({ created_at }) => <Moment iso={created_at} tz={tz} />, isNumber: true, hide: "l" },
    {
      title: "Rotated",
      cell: ({ rotated_at }) => <MaybeMoment iso={rotated_at} tz={tz} none="never" />,
      isNumber: true,
      hide: "l",
    },
    {
      title: "Last used",
      cell: ({ last_used_at }) => <MaybeMoment iso={last_used_at} tz={tz} none="never" />,
      isNumber: true,
    },
  ]
}

function toRemovedColumns(tz: string): Column<ProviderKey>[] {
  return [
    NAME,
    {
      title: "Bound keys",
      cell: ({ bound_keys: bound }) => formatCount(bound.length),
      isNumber: true,
      hide: "m",
    },
    {
      title: "Removed",
      cell: ({ removed_at }) => <MaybeMoment iso={removed_at} tz={tz} none="" />,
      isNumber: true,
    },
  ]
}
