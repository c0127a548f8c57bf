import { tmpdir } from "node:os"
import { expect, test } from "vitest"
import { checkNotifications } from "../../src/operations/doctor/notifications.ts"
import { loadSettings } from "../../src/server/settings.ts"

const check = async (channels: object, rules?: readonly object[]) => {
  const env = {
    MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify(channels),
    ...(rules && { MAJORDOMO_NOTIFICATIONS_RULES: JSON.stringify(rules) }),
  }
  return checkNotifications({ settings: (await loadSettings({ cwd: tmpdir(), env })).settings })
}
const CHANNELS = {
  ops: { type: "slack", url: "https://hooks.slack.example/services/T0KENPATH" },
  old: { type: "teams", url: "https://teams.example/T0KENPATH" },
}

test("doctor says what each channel gets, and names those that no rule uses, without their secrets", async () => {
  const rules = [
    { when: "limit", to: "ops" },
    { when: "digest", every: "week", to: "ops" },
  ]
  const findings = await check(CHANNELS, rules)
  expect(findings).toEqual([
    {
      check: "notifications",
      status: "ok",
      message:
        "ops (slack, https://hooks.slack.example/…) gets 1 kind of notifications, and the digest of each week at 09:00; majordomo-gateway notify test ops tries it",
    },
    {
      check: "notifications",
      status: "warning",
      message: "no rule sends anything to old (teams, https://teams.example/…)",
      fix: "name it in notifications.rules, or remove it",
    },
  ])
  expect(JSON.stringify(findings)).not.toContain("T0KENPATH")
})

test("without rules, each channel gets all kinds but the digest, and without channels there is nothing to check", async () => {
  expect((await check(CHANNELS)).map(({ status }) => status)).toEqual(["ok", "ok"])
  expect(await check({})).toMatchObject([{ status: "skipped" }])
})
