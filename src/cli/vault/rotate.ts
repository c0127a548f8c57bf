import { rotateVault } from "../../operations/vault/rotate.ts"
import { findActor } from "../_actor.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { noteThisMachine } from "../_gateway.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"

export default defineCommand({
  meta: { name: "rotate", description: "encrypt all provider keys with another vault key, while gateways run" },
  args: { ...JSON_OPTION, ...COMMON },
  examples: ["majordomo-gateway vault rotate"],
  async run({ args }) {
    noteThisMachine(args)
    const rotated = await withDatabase(args.config, (context) => rotateVault({ ...context, actor: findActor() }))
    if (args.json) return printJson(rotated)
    const { vault_key_id: id, encrypted, file } = rotated
    const keys = encrypted === 1 ? "1 provider key is" : `${encrypted} provider keys are`
    const where =
      file === null
        ? "vault.previous_keys is no longer needed."
        : `The new key is the first one in ${file}. The older ones stay there for backups of the database; delete their lines when you need none of those.`
    print(`${keys} encrypted with the vault key ${id} now. ${where}`)
  },
})
