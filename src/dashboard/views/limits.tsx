import { useState } from "preact/hooks"
import { formatCount } from "../kit/format.ts"
import { formatAmount, formatWait, type Limit, toParts } from "../kit/limits.ts"
import { navigate } from "../kit/location.ts"
import { search } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion, withParams } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Search } from "../parts/search.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { UseBar } from "../parts/use-bar.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { OpenedLimit } from "./_limit.tsx"
import { CreateLimit } from "./_limit-dialogs.tsx"

/** The budgets and rate limits, the nearest to its amount first. */
export function Limits({ session }: PageProps) {
  const { params, tz, href } = useQuestion()
  const limits = useQuery<readonly Limit[]>("/limits")
  const [isCreating, setCreating] = useState(false)
  if (limits.problem) return <Failure problem={limits.problem} retry={limits.reload} />
  const words = params.get("q") ?? ""
  const found = search(limits.data ?? [], words, ({ id, name, summary }) => `${id} ${name} ${summary}`)
  const opened = limits.data?.find(({ id }) => id === params.get("id"))
  const mayChange = isAllowed(session.role, "admin")
  return (
    <>
      <Card
        title={
          limits.data === undefined ? "Limits" : `${formatCount(found.length)} limit${found.length === 1 ? "" : "s"}`
        }
        actions={
          <>
            <Search label="Search limits" />
            {mayChange && (
              <button type="button" class="button primary" onClick={() => setCreating(true)}>
                Create limit
              </button>
            )}
          </>
        }
      >
        {limits.data === undefined && <Skeleton lines={8} />}
        {limits.data !== undefined && found.length === 0 && <NoLimits words={words} />}
        {found.length > 0 && <LimitTable limits={found} hrefOf={({ id }) => href(withParams(params, { id }))} />}
      </Card>
      {isCreating && <CreateLimit onDone={limits.reload} onClose={() => setCreating(false)} />}
      {opened && (
        <OpenedLimit
          of={opened}
          mayChange={mayChange}
          tz={tz}
          onChange={limits.reload}
          onClose={() => navigate(href(withParams(params, { id: undefined })), { replace: true })}
        />
      )}
    </>
  )
}

function NoLimits({ words }: { readonly words: string }) {
  if (words !== "") return <Empty title="No limit matches">Search for another name.</Empty>
  return (
    <Empty title="There are no limits">
      <p>
        A limit caps what requests may cost, or how many there may be, in a window of time: for all of them, or for each
        key, model or user.
      </p>
    </Empty>
  )
}

interface LimitTableProps {
  readonly limits: readonly Limit[]
  readonly hrefOf: (limit: Limit) => string
}

/** Limits, the nearest to its amount first. */
export function LimitTable({ limits, hrefOf }: LimitTableProps) {
  const share = (limit: Limit) => {
    const { used, reserved } = toParts(limit)
    return used + reserved
  }
  const sorted = [...limits].sort((a, b) => share(b) - share(a))
  return <LongTable label="Limits" columns={COLUMNS} rows={sorted} keyOf={({ id }) => id} hrefOf={hrefOf} />
}

const COLUMNS: readonly Column<Limit>[] = [
  {
    title: "Name",
    cell: ({ name, summary, source, action }) => (
      <bdi title={summary}>
        {name}
        {source === "config" && <span class="quiet aside">configuration</span>}
        {action === "warn" && <span class="quiet aside">warns only</span>}
        <span class="quiet aside">{summary}</span>
      </bdi>
    ),
    isWide: true,
  },
  {
    title: "Most used by",
    cell: ({ per, value_name: value }) => (
      <bdi class="cut" title={value ?? undefined}>
        {per === null || value === null ? "" : value || `no ${per}`}
      </bdi>
    ),
    hide: "m",
  },
  { title: "Use", cell: (limit) => <UseBar of={limit} />, isNumber: true },
  { title: "Left", cell: (limit) => <span class="num">{formatAmount(limit, limit.remaining)}</span>, isNumber: true },
  {
    title: "Limit",
    cell: (limit) => <span class="num">{formatAmount(limit, limit.amount)}</span>,
    isNumber: true,
    hide: "m",
  },
  {
    title: "Resets",
    cell: ({ resets_at: at }) => (at === null ? "" : <span class="num">{formatWait(at)}</span>),
    isNumber: true,
    hide: "m",
  },
]
