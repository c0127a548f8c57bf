import { keys } from "../../api/routes/keys.ts"
import type { RotatedKey } from "../../operations/keys/rotate.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { printMessage, printSecret } from "../_print.ts"
import { printable, toPrintableJson } from "../_text.ts"
import { ID } from "./_keys.ts"

export default defineCommand({
  meta: {
    name: "rotate",
    description: "replace a key by a new one with the same name and settings, and show it this once",
  },
  args: { id: ID, ...YES_OPTION, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway keys rotate a1b2c3d4-e5f6-7890-abcd-ef1234567890"],
  async run({ args }) {
    await confirm(`Replace the key ${printable(args.id)}? The old one is rejected at once.`, args)
    const rotated = await call(args, keys.rotate, { id: args.id })
    const discard = async () => void (await call(args, keys.discard, { id: rotated.id, key: rotated.key }))
    await printSecret(args.json ? toPrintableJson(rotated, 2) : announce(rotated), discard)
    const { silent } = rotated.gateways
    if (silent.length === 0) return
    const who = silent.length === 1 ? "1 gateway" : `${silent.length} gateways`
    printMessage(
      `error: ${who} did not answer and may still accept the old key: run keys revoke ${rotated.replaced.id} when the connection to the database is back`,
    )
    process.exitCode = 1
  },
})

function announce({ id, name, key, replaced }: RotatedKey): string {
  return `API key rotated: ${replaced.id} is revoked.

  ID:   ${id}
  Name: ${printable(name)}
  Key:  ${key}

⚠️  Save this key now - it cannot be retrieved later.
`
}
