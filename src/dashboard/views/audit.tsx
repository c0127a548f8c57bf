import { navigate } from "../kit/location.ts"
import type { AuditEntry } from "../kit/manage.ts"
import { usePages } from "../kit/pages.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion, withParams } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Moment } from "../parts/value.tsx"
import { EntryDialog, toName, toWhat } from "./_audit-entry.tsx"

const PAGE = 50

/** Who changed what, when and from where. */
export function Audit() {
  const question = useQuestion()
  const { params, href } = question
  const entries = usePages<AuditEntry>("/audit", { limit: PAGE })
  const { items } = entries
  const asked = params.get("entry")
  const listed = items?.find(({ id }) => id === asked)
  // An address can name an entry that is older than those on the page.
  const older = useQuery<AuditEntry>(asked && items && !listed ? `/audit/${encodeURIComponent(asked)}` : undefined)
  const opened = listed ?? older.data
  if (entries.problem) return <Failure problem={entries.problem} retry={entries.reload} />
  return (
    <Card title="Newest first">
      {older.problem && <Failure problem={older.problem} />}
      {items === undefined && <Skeleton lines={16} />}
      {items?.length === 0 && (
        <Empty title="Nothing was changed yet">Each change of keys, tokens, prices and rows will be here.</Empty>
      )}
      {items !== undefined && items.length > 0 && (
        <Table
          label="Changes"
          columns={toColumns(question)}
          rows={items}
          keyOf={({ id }) => id}
          hrefOf={({ id }) => href(withParams(params, { entry: id }))}
        />
      )}
      {entries.hasMore && (
        <div class="more">
          <button type="button" class="button" disabled={entries.more === undefined} onClick={entries.more}>
            Show older changes
          </button>
        </div>
      )}
      {opened && (
        <EntryDialog
          entry={opened}
          tz={question.tz}
          onClose={() => navigate(href(withParams(params, { entry: undefined })), { replace: true })}
        />
      )}
    </Card>
  )
}

function toColumns({ tz }: Question): Column<AuditEntry>[] {
  return [
    { title: "Time", cell: ({ at }) => <Moment iso={at} tz={tz} /> },
    {
      title: "Who",
      cell: ({ actor_name, actor_kind }) => (
        <bdi class="cut" title={`${actor_name}, ${actor_kind}`}>
          {actor_name}
        </bdi>
      ),
      hide: "m",
    },
    { title: "From", cell: ({ address, actor_kind }) => address ?? <span class="quiet">{actor_kind}</span>, hide: "l" },
    {
      title: "What",
      cell: (entry) => (
        <>
          {toWhat(entry.action)} <bdi title={entry.target ?? undefined}>{toName(entry)}</bdi>
          <span class="only-m quiet">
            by <bdi>{entry.actor_name}</bdi>
          </span>
        </>
      ),
      isWide: true,
      isTall: true,
    },
  ]
}
