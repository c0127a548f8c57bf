import { vault } from "../../api/routes/vault.ts"
import type { VaultStatus } from "../../operations/vault/status.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"

export default defineCommand({
  meta: {
    name: "status",
    description: "which vault key there is, and what it can decrypt; exit 1 if a provider key cannot be used",
  },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway vault status"],
  async run({ args }) {
    const status = await call(args, vault.status, {})
    if (args.json) printJson(status)
    else print(describe(status))
    const isBroken = status.problem !== null || status.encrypted.some((each) => each.readable < each.provider_keys)
    if (isBroken) process.exitCode = 1
  },
})

function describe({ vault_key_id: id, source, problem, encrypted }: VaultStatus): string {
  const own =
    id === null ? "There is no vault key: run majordomo-gateway vault init." : `Vault key ${id}, from ${source}`
  const lines = encrypted.map(({ vault_key_id: other, provider_keys: all, readable }) => {
    const count = all === 1 ? "1 provider key" : `${all} provider keys`
    if (readable === all) return `${count} encrypted with ${other}`
    return `${count} encrypted with ${other}, of which ${readable} can be decrypted: add that key to vault.previous_keys`
  })
  const found = lines.length === 0 ? ["No provider keys are stored."] : lines
  return [problem === null ? own : printable(problem), ...found].join("\n")
}
