import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { Table } from "../parts/table.tsx"
import { Count, Moment } from "../parts/value.tsx"

/** What `GET /status` returns. */
interface Status {
  readonly version: string
  readonly database: { readonly title: string }
  readonly replica: { readonly is_used: boolean; readonly lag_ms: number | null } | null
  readonly gateways: readonly { readonly name: string; readonly last_seen_at: string; readonly is_recent: boolean }[]
  readonly rows: Readonly<Record<"accepted" | "written" | "waiting" | "rejected" | "dropped", number>>
  readonly prices: { readonly models: number; readonly checked_at: string | null }
  readonly problems: readonly string[]
}

/** Whether the gateways, their database, their journals and their price lists are well. */
export function StatusPage() {
  const { tz } = useQuestion()
  const status = useQuery<Status>("/status", {})
  if (status.problem) return <Failure problem={status.problem} retry={status.reload} />
  if (status.data === undefined)
    return (
      <Card title="Status">
        <Skeleton lines={16} />
      </Card>
    )
  return <Report status={status.data} tz={tz} />
}

function Problems({ problems }: Pick<Status, "problems">) {
  return (
    <Card title={problems.length === 0 ? "Everything is well" : "What needs attention"}>
      {problems.length === 0 ? (
        <Empty title="No problems">
          <p>The database accepts rows, all of its triggers run, and no row was dropped or rejected.</p>
        </Empty>
      ) : (
        <Table
          label="Problems"
          columns={[{ title: "Problem", cell: (problem: string) => <bdi>{problem}</bdi>, isWide: true }]}
          rows={problems}
          keyOf={(problem) => problem}
        />
      )}
    </Card>
  )
}

function Report({ status, tz }: { readonly status: Status; readonly tz: string }) {
  const { version, database, replica, gateways, rows, prices, problems } = status
  return (
    <>
      <Problems problems={problems} />
      <Card title="Rows of the ledger">
        <Table
          label="Rows of the ledger"
          columns={[
            { title: "Rows", cell: ([name]: readonly [string, number]) => name, isWide: true },
            { title: "Count", cell: ([, count]) => <Count value={count} />, isNumber: true },
          ]}
          rows={
            [
              ["Accepted", rows.accepted],
              ["Written to the database", rows.written],
              ["Waiting in the journal", rows.waiting],
              ["Rejected by the database", rows.rejected],
              ["Dropped", rows.dropped],
            ] as const
          }
          keyOf={([name]) => name}
        />
      </Card>
      <Card title="Gateways of this database">
        <Table
          label="Gateways"
          columns={[
            { title: "Gateway", cell: ({ name }: Status["gateways"][number]) => <bdi>{name}</bdi>, isWide: true },
            {
              title: "State",
              cell: ({ is_recent: isRecent }) =>
                isRecent ? "running" : <span class="mark mark-bad">not seen lately</span>,
            },
            { title: "Last seen", cell: ({ last_seen_at: seen }) => <Moment iso={seen} tz={tz} /> },
          ]}
          rows={gateways}
          keyOf={({ name }) => name}
        />
      </Card>
      <Card title="This gateway">
        <Table
          label="This gateway"
          columns={[
            { title: "Part", cell: ([name]: readonly [string, preact.ComponentChildren]) => name },
            { title: "State", cell: ([, value]) => value, isWide: true },
          ]}
          rows={[
            ["Version", version],
            ["Database", <bdi key="database">{database.title}</bdi>],
            ...(replica === null ? [] : [["Replica for reports", describeReplica(replica)] as const]),
            ["Models with a price", <Count key="models" value={prices.models} />],
            [
              "Price lists checked",
              prices.checked_at === null ? "never" : <Moment key="checked" iso={prices.checked_at} tz={tz} />,
            ],
          ]}
          keyOf={([name]) => name}
        />
      </Card>
    </>
  )
}

function describeReplica({ is_used: isUsed, lag_ms: lag }: NonNullable<Status["replica"]>): string {
  const behind = lag === null ? "" : `, ${(lag / 1000).toFixed(2)} s behind`
  return `${isUsed ? "used" : "not used"}${behind}`
}
