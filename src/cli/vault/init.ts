import { initVault, makeVaultKey } from "../../operations/vault/init.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { noteThisMachine } from "../_gateway.ts"
import { withSettings } from "../_open.ts"
import { print, printJson, printMessage } from "../_print.ts"

export default defineCommand({
  meta: { name: "init", description: "make the key that encrypts provider keys, in a file that only you can read" },
  args: {
    print: {
      type: "boolean",
      description: "print a new key in place of writing it, for a secret manager or MAJORDOMO_VAULT_KEY",
    },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway vault init", "majordomo-gateway vault init --print"],
  async run({ args }) {
    if (args.print) {
      const made = makeVaultKey()
      if (args.json) printJson(made)
      else print(made.key)
      if (!args.json) printMessage("Set it as vault.key (MAJORDOMO_VAULT_KEY) on every gateway of the database.")
      return
    }
    noteThisMachine(args)
    const created = await withSettings(args.config, initVault)
    if (args.json) printJson(created)
    else print(describe(created))
  },
})

function describe({ vault_key_id: id, file }: ReturnType<typeof initVault>): string {
  return `Made the vault key ${id} in ${file}.

Keep a copy of this file in a safe place, apart from backups of the database: without it, no provider key can be decrypted.
Another gateway that uses the same database needs the same key: copy the file there and set vault.key_file to it, or set
MAJORDOMO_VAULT_KEY to the key in it.

Next: majordomo-gateway provider-keys add openai`
}
