import { keys } from "../../api/routes/keys.ts"
import type { CreatedKey } from "../../operations/keys/create.ts"
import { listValues } from "../_args.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { printMessage, printSecret } from "../_print.ts"
import { printable, toPrintableJson } from "../_text.ts"
import { DISCOUNT, METADATA, POLICY, PROVIDER_KEY, readMetadataOptions, readPolicyOptions } from "./_keys.ts"

export default defineCommand({
  meta: { name: "create", description: "create an API key and show it this once" },
  args: {
    name: { type: "string", required: true, valueHint: "NAME", description: "the name by which reports show it" },
    description: { type: "string", valueHint: "TEXT", description: "what it is for" },
    discount: DISCOUNT,
    ...METADATA,
    "provider-key": PROVIDER_KEY,
    ...POLICY,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway keys create --name Development",
    "majordomo-gateway keys create --name Search --metadata Team=search",
    "majordomo-gateway keys create --name Guest --expires 90d --budget 50/month",
    "majordomo-gateway keys create --name CI --json | jq -r .key",
  ],
  async run({ args, rawArgs }) {
    const { name, description, discount } = args
    const metadata = readMetadataOptions(rawArgs)
    const provider_keys = listValues("provider-key", rawArgs)
    const policy = readPolicyOptions(args)
    const created = await call(args, keys.create, {
      name,
      description,
      discount,
      ...metadata,
      provider_keys,
      ...policy,
    })
    const text = args.json ? toPrintableJson(created, 2) : announce(created)
    if (created.namesakes) {
      const others = created.namesakes === 1 ? "another active key has" : `${created.namesakes} other active keys have`
      printMessage(`note: ${others} this name, so reports show the beginnings of their ids; keys update ID --name NAME`)
    }
    await printSecret(text, async () => void (await call(args, keys.discard, { id: created.id, key: created.key })))
  },
})

function announce({ id, name, key }: CreatedKey): string {
  return `API Key created successfully!

  ID:   ${id}
  Name: ${printable(name)}
  Key:  ${key}

⚠️  Save this key now - it cannot be retrieved later.
`
}
