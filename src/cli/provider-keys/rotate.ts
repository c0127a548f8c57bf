import { providerKeys } from "../../api/routes/provider-keys.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import {
  askSecret,
  KIND,
  parseKind,
  REFERENCE,
  rejectSecrets,
  renderProviderKey,
  requirePrivate,
} from "./_provider-keys.ts"
import { warnOfOtherVaultKeys } from "./_vault-key.ts"

export default defineCommand({
  meta: {
    name: "rotate",
    description: "replace the secret of a provider key; its name and its bindings stay, and no request fails",
  },
  args: {
    key: REFERENCE,
    kind: { ...KIND, description: `${KIND.description}; default: as before` },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["pass show openai-new | majordomo-gateway provider-keys rotate openai:team-a"],
  async run({ args }) {
    rejectSecrets(args.key)
    requirePrivate(args)
    const kind = parseKind(args.kind)
    const secret = await askSecret(args.key, kind ?? "key")
    const rotated = await call(args, providerKeys.rotate, { id: args.key, kind, secret })
    if (args.json) printJson(rotated)
    else print(`${renderProviderKey(rotated)}\n\nWhen requests use the new secret, revoke the old one at the provider.`)
    await warnOfOtherVaultKeys(args, rotated)
  },
})
