import type { OutputOf } from "../../api/_route.ts"
import { notifications } from "../../api/routes/notifications.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"

const DEFAULT_LIMIT = "20"

export default defineCommand({
  meta: { name: "list", description: "the channels with their rules, and the newest notifications" },
  args: {
    limit: { type: "string", valueHint: "N", description: `at most so many notifications (default ${DEFAULT_LIMIT})` },
    kind: { type: "string", valueHint: "KIND", description: "only this kind, such as limit or digest" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway notify list",
    "majordomo-gateway notify list --kind limit --json | jq '.notifications'",
  ],
  async run({ args }) {
    const channels = await call(args, notifications.channels, {})
    // The schema of the route checks the kind.
    const kind = args.kind as OutputOf<typeof notifications.list>["items"][number]["kind"] | undefined
    const { items } = await call(args, notifications.list, { limit: args.limit ?? DEFAULT_LIMIT, kind })
    if (args.json) return printJson({ channels, notifications: items })
    if (channels.length === 0) printMessage("There is no channel yet: set one in notifications.channels.")
    else print(renderChannels(channels, findScreen()))
    if (items.length === 0) printMessage("Nothing was notified yet.")
    else print(`${channels.length === 0 ? "" : "\n"}${renderNotifications(items, findScreen())}`)
  },
})

function renderChannels(channels: OutputOf<typeof notifications.channels>, screen: Screen): string {
  return renderTable(
    [
      { title: "Channel", align: "left", cells: channels.map(({ name }) => name) },
      { title: "Type", align: "left", cells: channels.map(({ type }) => type) },
      { title: "Address", align: "left", cells: channels.map(({ address }) => address), shrinks: true },
      { title: "Gets", align: "left", cells: channels.map(describeUses), shrinks: true, hideRank: 2 },
      { title: "Last sent", align: "left", cells: channels.map(({ last_sent_at: at }) => toTime(at)) },
      {
        title: "Last error",
        align: "left",
        cells: channels.map(({ last_error: error }) => error ?? "-"),
        shrinks: true,
      },
    ],
    screen,
  )
}

function describeUses({ kinds, digests }: OutputOf<typeof notifications.channels>[number]): string {
  const all = [...kinds, ...digests.map((digest) => `digest every ${digest}`)]
  return all.join(", ") || "nothing"
}

function renderNotifications(items: OutputOf<typeof notifications.list>["items"], screen: Screen): string {
  return renderTable(
    [
      { title: "Time", align: "left", cells: items.map(({ at }) => toTime(at)) },
      { title: "Kind", align: "left", cells: items.map(({ kind }) => kind), hideRank: 1 },
      { title: "Notification", align: "left", cells: items.map(({ title }) => title), shrinks: true },
      { title: "Sent", align: "left", cells: items.map(describeDeliveries), shrinks: true },
    ],
    screen,
  )
}

function describeDeliveries({ deliveries }: OutputOf<typeof notifications.list>["items"][number]): string {
  return deliveries.map(({ channel, state }) => (state === "sent" ? channel : `${channel} (${state})`)).join(", ")
}
