import { useState } from "preact/hooks"
import { formatCount } from "../kit/format.ts"
import { divide, type Key, search } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Search } from "../parts/search.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { Count, MaybeMoment, Moment } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { useProviderKeys } from "./_bindings.tsx"
import { Expiry } from "./_expiry.tsx"
import { type CreatedKey, CreateKey, KeySecret } from "./_key-dialogs.tsx"

/** The API keys of the gateway's clients. */
export function Keys({ session }: PageProps) {
  const question = useQuestion()
  const keys = useQuery<readonly Key[]>("/keys")
  const [isCreating, setCreating] = useState(false)
  const [created, setCreated] = useState<CreatedKey>()
  const mayChange = isAllowed(session.role, "admin")
  const providerKeys = useProviderKeys(mayChange)
  if (keys.problem) return <Failure problem={keys.problem} retry={keys.reload} />
  const words = question.params.get("q") ?? ""
  const { active, past } = divide(
    search(keys.data ?? [], words, ({ id, name, description }) => `${id} ${name} ${description}`),
  )
  return (
    <>
      <Card
        title={keys.data === undefined ? "Active" : `${formatCount(active.length)} active`}
        actions={
          <>
            <Search label="Search keys" />
            {mayChange && (
              <button type="button" class="button primary" onClick={() => setCreating(true)}>
                Create key
              </button>
            )}
          </>
        }
      >
        {keys.data === undefined && <Skeleton lines={10} />}
        {keys.data !== undefined && active.length === 0 && <NoKeys words={words} />}
        {active.length > 0 && <KeyTable label="Active keys" keys={active} question={question} />}
      </Card>
      {past.length > 0 && (
        <Card title={`${formatCount(past.length)} revoked or expired`}>
          <KeyTable label="Revoked and expired keys" keys={past} question={question} />
        </Card>
      )}
      {isCreating && (
        <CreateKey
          providerKeys={providerKeys}
          onDone={(key) => {
            setCreated(key)
            keys.reload()
          }}
          onClose={() => setCreating(false)}
        />
      )}
      {created && <KeySecret created={created} tz={question.tz} onClose={() => setCreated(undefined)} />}
    </>
  )
}

function NoKeys({ words }: { readonly words: string }) {
  if (words !== "") return <Empty title="No active key matches">Search for another name.</Empty>
  return (
    <Empty title="There is no active key">
      <p>
        Clients send a key as <code>X-Majordomo-Key</code>, and reports show what each one costs.
      </p>
    </Empty>
  )
}

interface KeyTableProps {
  readonly label: string
  readonly keys: readonly Key[]
  readonly question: Question
}

function KeyTable({ label, keys, question: { tz, hrefOf } }: KeyTableProps) {
  const columns: Column<Key>[] = [
    {
      title: "Name",
      cell: ({ name, description }) => (
        <bdi title={description ?? name}>
          {name}
          {description !== null && <span class="quiet aside">{description}</span>}
        </bdi>
      ),
      isWide: true,
    },
    ...(keys.some(({ discount_percent }) => discount_percent !== null) ? [DISCOUNT] : []),
    ...(keys.some(({ expires_at }) => expires_at !== null)
      ? [{ title: "Expires", cell: (key: Key) => <Expiry of={key} tz={tz} />, isNumber: true }]
      : []),
    { title: "Created", cell: ({ created_at }) => <Moment iso={created_at} tz={tz} />, isNumber: true, hide: "m" },
    {
      title: "Last used",
      cell: ({ last_used_at }) => <MaybeMoment iso={last_used_at} tz={tz} none="never" />,
      isNumber: true,
    },
    { title: "Requests", cell: ({ request_count }) => <Count value={request_count} />, isNumber: true },
  ]
  return (
    <LongTable
      label={label}
      columns={columns}
      rows={keys}
      keyOf={({ id }) => id}
      hrefOf={({ id }) => hrefOf("key", { id })}
    />
  )
}

const DISCOUNT: Column<Key> = {
  title: "Discount",
  cell: ({ discount_percent: percent }) => (percent === null ? "" : <span class="num">{`${percent}%`}</span>),
  isNumber: true,
  hide: "l",
}
