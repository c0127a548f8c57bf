import { revokeKey } from "../../operations/keys/revoke.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { ID, toTime } from "./_keys.ts"

export default defineCommand({
  meta: { name: "revoke", description: "reject an API key from now on, on every running gateway" },
  args: { id: ID, ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway keys revoke a1b2c3d4-e5f6-7890-abcd-ef1234567890"],
  async run({ args }) {
    await withDatabase(args.config, async (context) => {
      const { key, wasRevokedBefore } = await revokeKey(context, { id: args.id })
      const name = `Key ${printable(key.name)} (${key.id})`
      if (args.json) printJson(key)
      else if (wasRevokedBefore) print(`${name} was revoked before, on ${toTime(key.revoked_at)}.`)
      else print(`${name} is revoked: every gateway rejects it from now on.`)
    })
  },
})
