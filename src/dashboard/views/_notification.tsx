import { formatExactMoment } from "../kit/format.ts"
import {
  type Delivery,
  type FactTable,
  findTarget,
  listFacts,
  listFactTables,
  type Notification,
  toKindName,
} from "../kit/notifications.ts"
import { Facts } from "../parts/card.tsx"
import { Dialog } from "../parts/dialog.tsx"

interface NotificationProps {
  readonly of: Notification
  readonly tz: string
  readonly onClose: () => void
}

/** Shows a notification: its words, the facts behind them, and its delivery to each channel. */
export function NotificationDialog({ of: one, tz, onClose }: NotificationProps) {
  const { title, summary, kind, at, window, facts, deliveries } = one
  return (
    <Dialog title={title} class="is-wide" onClose={onClose}>
      {summary.split("\n\n").map((paragraph) => (
        <p key={paragraph} class="notification-text" dir="auto">
          {paragraph}
        </p>
      ))}
      <div class="gateways">
        <Facts
          items={[
            ["Kind", toKindName(kind)],
            ["Severity", one.severity],
            [
              "Found",
              <time key="at" dateTime={at}>
                {formatExactMoment(at, tz)}
              </time>,
            ],
            ["Sent once", window === "" ? "ever" : `for ${window}`],
          ]}
        />
      </div>
      <DeliveryTable deliveries={deliveries} tz={tz} />
      <details class="notification-facts">
        <summary>All facts</summary>
        <Facts items={listFacts(facts).map(({ name, value }) => [name, <bdi key={name}>{value}</bdi>])} />
        {listFactTables(facts).map((table) => (
          <FactsTable key={table.name} of={table} />
        ))}
      </details>
      <div class="dialog-actions">
        <a class="button" href={findTarget(one)}>
          Show it
        </a>
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

/** A mark for what is more than information. */
export function Severity({ of: { severity } }: { readonly of: Notification }) {
  if (severity === "info") return null
  return <span class={`mark mark-${severity === "critical" ? "bad" : "warn"}`}>{severity}</span>
}

function DeliveryTable({ deliveries, tz }: { readonly deliveries: readonly Delivery[]; readonly tz: string }) {
  if (deliveries.length === 0) return <p class="quiet">No rule sends this kind to a channel.</p>
  return (
    <div class="changes">
      <table class="table">
        <caption class="hidden">Deliveries</caption>
        <thead>
          <tr>
            <th scope="col">Channel</th>
            <th scope="col">State</th>
            <th scope="col" class="right">
              Attempts
            </th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <tr key={delivery.channel}>
              <th scope="row">
                <bdi>{delivery.channel}</bdi>
              </th>
              <td>
                {toState(delivery, tz)}
                {delivery.error !== null && <span class="quiet aside">{delivery.error}</span>}
              </td>
              <td class="right num">{delivery.attempts}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function toState({ state, sent_at: sentAt, next_attempt_at: nextAt }: Delivery, tz: string): string {
  if (sentAt !== null) return `sent ${formatExactMoment(sentAt, tz)}`
  if (state === "failed") return "failed, and not tried again"
  return nextAt === null ? "waiting" : `waiting until ${formatExactMoment(nextAt, tz)}`
}

function FactsTable({ of: { name, columns, rows } }: { readonly of: FactTable }) {
  return (
    // The table can be wider than a small screen; with a tab stop, the keyboard can scroll it.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls needs the focus
    <section class="changes" aria-label={name} tabIndex={0}>
      <table class="table">
        <caption>{name}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.join("\n")}>
              {row.map((cell, i) => (
                <td key={columns[i]}>
                  <bdi>{cell}</bdi>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
