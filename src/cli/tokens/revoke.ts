import { tokens } from "../../api/routes/tokens.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "revoke", description: "reject an admin token from now on, and end the sessions that began with it" },
  args: {
    id: { type: "positional", required: true, description: "the token's name, its id, or the beginning of its id" },
    ...YES_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway tokens revoke grafana", "majordomo-gateway tokens revoke a1b2c3d4"],
  async run({ args }) {
    await confirm(`Revoke the admin token ${printable(args.id)} for good?`, args)
    const revoked = await call(args, tokens.revoke, { id: args.id })
    if (args.json) return printJson(revoked)
    const name = `Token ${printable(revoked.name)} (${revoked.id})`
    if (revoked.was_revoked_before) print(`${name} was revoked before, on ${toTime(revoked.revoked_at)}.`)
    else print(`${name} is revoked: every gateway rejects it from now on, and its sessions have ended.`)
  },
})
