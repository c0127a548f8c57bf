import { providerKeys } from "../../api/routes/provider-keys.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { askSecret, KIND, parseKind, rejectSecrets, renderProviderKey, requirePrivate } from "./_provider-keys.ts"
import { requireVaultKey, warnOfOtherVaultKeys } from "./_vault-key.ts"

export default defineCommand({
  meta: {
    name: "add",
    description: "store a key of a provider, encrypted; the key is asked for, or read from stdin",
  },
  args: {
    provider: { type: "positional", required: true, description: "the provider, such as openai" },
    alias: { type: "string", valueHint: "NAME", description: "its name, such as team-a (default: default)" },
    default: { type: "boolean", description: "make it the default; the first key of a provider always is" },
    kind: KIND,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway provider-keys add openai",
    "pass show openai | majordomo-gateway provider-keys add openai --alias team-a",
    "majordomo-gateway provider-keys add vertex --kind google < service-account.json",
  ],
  async run({ args }) {
    const { provider, alias } = args
    rejectSecrets(provider, alias)
    requirePrivate(args)
    const kind = parseKind(args.kind) ?? "key"
    await requireVaultKey(args)
    const secret = await askSecret(provider, kind)
    const added = await call(args, providerKeys.add, { provider, alias, kind, default: args.default, secret })
    if (args.json) printJson(added)
    else print(renderProviderKey(added))
    await warnOfOtherVaultKeys(args, added)
  },
})
