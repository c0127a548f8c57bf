import { revokeKey } from "../../database/keys.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"
import { ID, toKeyObject, toTime } from "./_keys.ts"

export default defineCommand({
  meta: { name: "revoke", description: "refuse an API key from now on, on every running gateway" },
  args: { id: ID, ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway keys revoke a1b2c3d4-e5f6-7890-abcd-ef1234567890"],
  async run({ args }) {
    await withDatabase(args.config, async (database) => {
      const { key, wasRevokedBefore } = await revokeKey(database, args.id)
      if (args.json) printJson(toKeyObject(key))
      else if (wasRevokedBefore)
        print(`Key ${printable(key.name)} (${key.id}) was revoked before, on ${toTime(key.revokedAt)}.`)
      else print(`Key ${printable(key.name)} (${key.id}) is revoked: every gateway refuses it from now on.`)
    })
  },
})
