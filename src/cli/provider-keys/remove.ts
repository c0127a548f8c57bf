import { providerKeys } from "../../api/routes/provider-keys.ts"
import type { RemovedProviderKey } from "../../operations/provider-keys/change.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { print, printJson, printMessage } from "../_print.ts"
import { printable } from "../_text.ts"
import { REFERENCE, rejectSecrets } from "./_provider-keys.ts"

export default defineCommand({
  meta: {
    name: "remove",
    description: "delete the secret of a provider key; exit 1 if a running gateway does not answer",
  },
  args: { key: REFERENCE, ...YES_OPTION, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway provider-keys remove openai:team-a"],
  async run({ args }) {
    rejectSecrets(args.key)
    await confirm(`Delete the secret of ${printable(args.key)} for good?`, args)
    const removed = await call(args, providerKeys.remove, { id: args.key })
    if (args.json) printJson(removed)
    else print(describe(removed))
    const { silent } = removed.gateways
    if (silent.length === 0) return
    const names = silent.map(({ name }) => printable(name)).join("; ")
    printMessage(
      `error: gateways that did not answer may still use it (${names}): stop them, or revoke the key at the provider`,
    )
    process.exitCode = 1
  },
})

function describe({ provider, alias, bound_keys: bound, left_without_default: left }: RemovedProviderKey): string {
  const lines = [`${provider}:${printable(alias)} is removed. Revoke it at the provider too.`]
  if (bound.length > 0) {
    const names = bound.map(({ name }) => printable(name)).join(", ")
    lines.push(`Requests to ${provider} with these API keys are rejected, because they are bound to it: ${names}.`)
    lines.push(`To bind one to another key: majordomo-gateway keys update ID --provider-key ${provider}:ALIAS`)
  }
  if (left > 0) {
    lines.push(
      `${provider} has no default key now: choose one with majordomo-gateway provider-keys update ${provider}:ALIAS --default`,
    )
  }
  return lines.join("\n")
}
