import { expect, test } from "vitest"
import type { Notification, NotificationKind } from "../../src/core/notification.ts"
import { toEmail } from "../../src/notifications/render/email.ts"
import { toWebhookBody } from "../../src/notifications/render/json.ts"
import { toSlackBody } from "../../src/notifications/render/slack.ts"
import { toMessage } from "../../src/notifications/templates/index.ts"
import { NOTIFICATIONS, withNames } from "../support/notifications.ts"

const KINDS = Object.keys(NOTIFICATIONS) as NotificationKind[]
/** A receiver that reads JSON strictly rejects half of a surrogate pair, for good. */
const HALF = /\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}/i

test.each(KINDS)("no limit of a channel cuts a character in half: %s", (kind) => {
  for (let shift = 0; shift < 4; shift++) {
    const name = "a".repeat(shift) + "😀".repeat(3000)
    const message = toMessage(withNames(NOTIFICATIONS[kind] as Notification, name), {
      dashboardUrl: "https://g.example/dashboard/",
    })
    for (const flavor of ["slack", "mattermost", "discord", "teams"] as const) {
      expect(JSON.stringify(toSlackBody(message, flavor)), flavor).not.toMatch(HALF)
    }
    expect(JSON.stringify(toWebhookBody(NOTIFICATIONS[kind], message))).not.toMatch(HALF)
    expect(JSON.stringify(toEmail(message))).not.toMatch(HALF)
  }
})
