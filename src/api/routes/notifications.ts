import { z } from "zod"
import { NOTIFICATION_KINDS } from "../../core/notification.ts"
import { listChannels } from "../../operations/notifications/channels.ts"
import { listNotifications, type NotificationObject } from "../../operations/notifications/list.ts"
import { testChannel } from "../../operations/notifications/test-channel.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"

const kind = z.enum(NOTIFICATION_KINDS)

const notification = z.object({
  id: z.string().describe("a UUID"),
  kind,
  subject: z.string().describe("what it is about, such as a model or a limit"),
  window: z.string().describe("the period in which it is sent once; empty: it is never sent again"),
  severity: z.enum(["info", "warning", "critical"]),
  at: z.string().describe("when it was found, ISO 8601"),
  title: z.string(),
  summary: z.string(),
  facts: z.custom<NotificationObject["facts"]>().meta({ type: "object", description: "its facts, by its kind" }),
  deliveries: z
    .array(
      z.object({
        channel: z.string(),
        state: z.enum(["waiting", "sent", "failed"]),
        attempts: z.number(),
        next_attempt_at: z.string().nullable().describe("null unless it waits"),
        sent_at: z.string().nullable(),
        error: z.string().nullable().describe("why the last attempt failed, or which receivers rejected the message"),
      }),
    )
    .readonly(),
})

const channel = z.object({
  name: z.string(),
  type: z.string().describe("webhook, slack, discord, teams, mattermost or email"),
  address: z.string().describe("where it sends to, without what is secret"),
  kinds: z.array(kind).readonly().describe("what the rules send to it, beside digests"),
  digests: z.array(z.string()).readonly().describe("such as week at 09:00"),
  last_sent_at: z.string().nullable().describe("ISO 8601"),
  last_error: z.string().nullable().describe("why the last attempt failed; null: it succeeded"),
})

export const notifications = {
  list: defineRoute({
    name: "notifications.list",
    method: "GET",
    path: "/notifications",
    role: "viewer",
    summary: "the notifications that were sent or wait, with their deliveries, the newest first",
    input: z.strictObject({
      kind: kind.optional().describe("only this kind"),
      limit: z.coerce.number().int().min(1).max(1000).default(100).describe("at most so many"),
      cursor: z.uuid().optional().describe("the next of the page before"),
    }),
    output: z.object({ items: z.array(notification).readonly(), next: z.string().nullable() }),
    ...FROM_REPLICA,
    run: (context, { kind, limit, cursor }) => listNotifications(context, { kind, limit, cursor }),
  }),
  channels: defineRoute({
    name: "notifications.channels",
    method: "GET",
    path: "/notifications/channels",
    role: "viewer",
    summary: "the channels of the settings, without their secrets, and what was sent to them last",
    input: z.strictObject({}),
    output: z.array(channel).readonly(),
    needs: ["database"],
    run: (context) => listChannels(context),
  }),
  test: defineRoute({
    name: "notifications.test",
    method: "POST",
    path: "/notifications/channels/{name}/test",
    role: "admin",
    summary: "send a test message to a channel at once, and say whether its receiver accepted it",
    input: z.strictObject({ name: z.string().describe("the name of a channel") }),
    output: z.object({
      channel: z.string(),
      accepted: z.boolean(),
      error: z.string().nullable().describe("why it was not accepted"),
    }),
    needs: ["database?"],
    run: (context, input) => testChannel(context, input),
  }),
}
