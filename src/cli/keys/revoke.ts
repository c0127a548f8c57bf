import { keys } from "../../api/routes/keys.ts"
import type { RevokedKey } from "../../operations/keys/revoke.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { print, printJson, printMessage } from "../_print.ts"
import { printable } from "../_text.ts"
import { ID, toTime } from "./_keys.ts"

export default defineCommand({
  meta: {
    name: "revoke",
    description: "reject an API key from now on, on every running gateway; exit 1 if one does not answer",
  },
  args: { id: ID, ...YES_OPTION, ...JSON_OPTION, ...REMOTE },
  examples: [
    "majordomo-gateway keys revoke Search",
    "majordomo-gateway keys revoke a1b2c3d4-e5f6-7890-abcd-ef1234567890 --json | jq .gateways.silent",
  ],
  async run({ args }) {
    await confirm(`Revoke the key ${printable(args.id)} for good?`, args)
    const revoked = await call(args, keys.revoke, { id: args.id })
    const { silent } = revoked.gateways
    if (args.json) printJson(revoked)
    else print(describe(revoked))
    if (silent.length === 0) return
    const who = silent.length === 1 ? "1 gateway" : `${silent.length} gateways`
    printMessage(
      `error: ${who} did not answer and may still accept the key: restore the connection to the database, or stop the gateway, and run this again`,
    )
    process.exitCode = 1
  },
})

function describe({ was_revoked_before: wasRevokedBefore, gateways, ...key }: RevokedKey): string {
  const { acknowledged, silent } = gateways
  const name = `Key ${printable(key.name)} (${key.id})`
  const state = wasRevokedBefore ? `was revoked before, on ${toTime(key.revoked_at)}` : "is revoked"
  if (silent.length === 0) {
    return wasRevokedBefore ? `${name} ${state}.` : `${name} ${state}: every gateway rejects it from now on.`
  }
  const names = acknowledged.map((gateway) => printable(gateway.name)).join("; ")
  const lines = silent.map((gateway) => {
    const until = gateway.accepts_until
      ? `may accept the key until ${toTime(gateway.accepts_until)}`
      : "may accept the key without limit (it is of an older version)"
    return `  ${printable(gateway.name)}: last seen ${toTime(gateway.last_seen_at)}, ${until}`
  })
  return [
    `${name} ${state}.`,
    names === "" ? "No gateway has acknowledged it." : `These gateways reject it: ${names}.`,
    "These gateways did not answer. If they run and cannot reach the database:",
    ...lines,
  ].join("\n")
}
