import { providerKeys } from "../../api/routes/provider-keys.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { REFERENCE, rejectSecrets, renderProviderKey } from "./_provider-keys.ts"

export default defineCommand({
  meta: { name: "update", description: "make a provider key the default of its provider" },
  args: {
    key: REFERENCE,
    default: { type: "boolean", required: true, description: "use it for API keys that are bound to no other one" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway provider-keys update openai:team-a --default"],
  async run({ args }) {
    rejectSecrets(args.key)
    const updated = await call(args, providerKeys.update, { id: args.key, default: true })
    if (args.json) printJson(updated)
    else print(renderProviderKey(updated))
  },
})
