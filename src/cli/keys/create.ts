import type { Database } from "../../database/_database.ts"
import { createKey } from "../../database/keys.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson, say } from "../_print.ts"
import { printable } from "../_text.ts"
import { toKeyObject } from "./_keys.ts"

export default defineCommand({
  meta: { name: "create", description: "mint an API key and show it this once" },
  args: {
    name: { type: "string", required: true, valueHint: "NAME", description: "what reports call it" },
    description: { type: "string", valueHint: "TEXT", description: "what it is for" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway keys create --name Development",
    "majordomo-gateway keys create --name CI --json | jq -r .key",
  ],
  async run({ args }) {
    await withDatabase(args.config, async (database, settings) => {
      if (settings.storage.autoMigrate) await createSchema(database)
      const { key, secret } = await createKey(database, { name: args.name, description: args.description })
      if (args.json) printJson({ ...toKeyObject(key), key: secret })
      else print(announce({ id: key.id, name: key.name, secret }))
    })
  },
})

/** So that a first key can be made before anything else was run. A schema that is there is left to `serve` and `migrate`. */
async function createSchema(database: Database): Promise<void> {
  if ((await readSchemaState(database.query)).kind === "none") await migrate(database, say)
}

function announce({ id, name, secret }: { id: string; name: string; secret: string }): string {
  return `API Key created successfully!

  ID:   ${id}
  Name: ${printable(name)}
  Key:  ${secret}

⚠️  Save this key now - it cannot be retrieved later.
`
}
