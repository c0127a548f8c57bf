import { keys } from "../../api/routes/keys.ts"
import type { RotatedKey } from "../../operations/keys/rotate.ts"
import { call, checkInput, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { printMessage, printSecret } from "../_print.ts"
import { printable, toPrintableJson } from "../_text.ts"
import { ID, toTime } from "./_keys.ts"

export default defineCommand({
  meta: {
    name: "rotate",
    description: "replace the secret of a key, whose id and settings stay, and show the new one this once",
  },
  args: {
    id: ID,
    grace: {
      type: "string",
      valueHint: "TIME",
      description: "how long the old secret still works, such as 30m, 24h or 7d (default: it is rejected at once)",
    },
    ...YES_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway keys rotate a1b2c3d4-e5f6-7890-abcd-ef1234567890 --grace 24h",
    "majordomo-gateway keys rotate a1b2c3d4-e5f6-7890-abcd-ef1234567890 --yes --json | jq -r .key",
  ],
  async run({ args }) {
    const { id, grace } = args
    checkInput(keys.rotate, { id, grace })
    const end = grace === undefined ? "is rejected at once" : `works for ${printable(grace)} more`
    await confirm(`Replace the secret of the key ${printable(id)}? The old one ${end}.`, args)
    const rotated = await call(args, keys.rotate, { id, grace })
    const discard = async () => void (await call(args, keys.discard, { id: rotated.id, key: rotated.key }))
    await printSecret(args.json ? toPrintableJson(rotated, 2) : announce(rotated), discard, "secret")
    const { silent } = rotated.gateways
    if (silent.length === 0) return
    const who = silent.length === 1 ? "1 gateway" : `${silent.length} gateways`
    printMessage(
      `error: ${who} did not answer and may not know the new secret, or accept the old one too long: restore the connection to the database, or stop the gateway`,
    )
    process.exitCode = 1
  },
})

function announce({ id, name, key, previous_secret_until: until }: RotatedKey): string {
  return `API key rotated: the old secret ${until === null ? "is rejected from now on" : `works until ${toTime(until)}`}.

  ID:   ${id}
  Name: ${printable(name)}
  Key:  ${key}

⚠️  Save this key now - it cannot be retrieved later.
`
}
