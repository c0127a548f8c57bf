import { navigate } from "../kit/location.ts"
import { type Channel, KINDS, type Notification, toKindName } from "../kit/notifications.ts"
import { usePages } from "../kit/pages.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion, withParams } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Choice } from "../parts/form.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Moment } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { Channels } from "./_channels.tsx"
import { NotificationDialog, Severity } from "./_notification.tsx"

const PAGE = 50
const KIND_OPTIONS = [["", "All kinds"], ...Object.entries(KINDS)] as const

/** The view of the channels, and of the notifications that they were sent. */
export function Notifications({ session }: PageProps) {
  const question = useQuestion()
  const { params, href, tz } = question
  const kind = params.get("kind") ?? ""
  const channels = useQuery<readonly Channel[]>("/notifications/channels")
  const pages = usePages<Notification>("/notifications", { limit: PAGE, kind })
  const { items } = pages
  const opened = items?.find(({ id }) => id === params.get("id"))
  const problem = channels.problem ?? pages.problem
  const reload = () => {
    channels.reload()
    pages.reload()
  }
  if (problem) return <Failure problem={problem} retry={reload} />
  return (
    <>
      <Channels
        channels={channels.data}
        tz={tz}
        mayTest={isAllowed(session.role, "admin")}
        onTested={channels.reload}
      />
      <Card
        title="Newest first"
        actions={
          <Choice
            label="Kind"
            isBare
            value={kind}
            options={KIND_OPTIONS}
            onChange={(chosen) => navigate(href(withParams(params, { kind: chosen || undefined, id: undefined })))}
          />
        }
      >
        {items === undefined && <Skeleton lines={8} />}
        {items?.length === 0 && <NoNotifications kind={kind} hasChannels={(channels.data?.length ?? 0) > 0} />}
        {items !== undefined && items.length > 0 && (
          <Table
            label="Notifications"
            columns={toColumns(question)}
            rows={items}
            keyOf={({ id }) => id}
            hrefOf={({ id }) => href(withParams(params, { id }))}
          />
        )}
        {pages.hasMore && (
          <div class="more">
            <button type="button" class="button" disabled={pages.more === undefined} onClick={pages.more}>
              Show older notifications
            </button>
          </div>
        )}
      </Card>
      {opened && (
        <NotificationDialog
          of={opened}
          tz={tz}
          onClose={() => navigate(href(withParams(params, { id: undefined })), { replace: true })}
        />
      )}
    </>
  )
}

function NoNotifications({ kind, hasChannels }: { readonly kind: string; readonly hasChannels: boolean }) {
  if (kind !== "") return <Empty title={`There is no notification of the kind “${toKindName(kind)}”`} />
  return (
    <Empty title="There are no notifications yet">
      {hasChannels
        ? "When a limit is nearly used, a model has no price, a bill differs or spend is unusual, it will be here and in your channels."
        : "Set up a channel first. Then the gateway says here and there what needs attention."}
    </Empty>
  )
}

function toColumns({ tz }: Question): Column<Notification>[] {
  return [
    { title: "Time", cell: ({ at }) => <Moment iso={at} tz={tz} /> },
    {
      title: "What",
      cell: (one) => (
        <>
          <bdi title={one.title}>{one.title}</bdi>
          <span class="quiet aside">
            {toKindName(one.kind)} <Severity of={one} />
          </span>
        </>
      ),
      isWide: true,
      isTall: true,
    },
    { title: "Sent to", cell: (one) => <Deliveries of={one} />, hide: "m" },
  ]
}

/** One mark for each channel. */
function Deliveries({ of: { deliveries } }: { readonly of: Notification }) {
  if (deliveries.length === 0) return <span class="quiet">no channel</span>
  return (
    <span class="deliveries">
      {deliveries.map(({ channel, state, error }) => (
        <span key={channel} class={`mark mark-${MARKS[state]}`} title={error ?? undefined}>
          <bdi>{channel}</bdi>
          {state === "sent" ? "" : ` ${state}`}
        </span>
      ))}
    </span>
  )
}

const MARKS = { sent: "plain", waiting: "warn", failed: "bad" } as const
