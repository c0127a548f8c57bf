import { type CreatedKey, createKey, discardKey } from "../../operations/keys/create.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { printSecret } from "../_print.ts"
import { printable, toPrintableJson } from "../_text.ts"
import { DISCOUNT } from "./_keys.ts"

export default defineCommand({
  meta: { name: "create", description: "create an API key and show it this once" },
  args: {
    name: { type: "string", required: true, valueHint: "NAME", description: "the name by which reports show it" },
    description: { type: "string", valueHint: "TEXT", description: "what it is for" },
    discount: DISCOUNT,
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway keys create --name Development",
    "majordomo-gateway keys create --name CI --json | jq -r .key",
  ],
  async run({ args }) {
    const { name, description, discount } = args
    const create = async (context: Parameters<typeof createKey>[0]) => {
      const created = await createKey(context, { name, description, discount })
      const text = args.json ? toPrintableJson(created, 2) : announce(created)
      await printSecret(text, () => discardKey(context, created))
    }
    await withDatabase(args.config, create, { mayCreate: true })
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
