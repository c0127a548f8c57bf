import { CommandError } from "../../core/errors.ts"
import { updateKey } from "../../database/keys.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { print, printJson } from "../_print.ts"
import { ID, renderKey, toKeyObject } from "./_keys.ts"

export default defineCommand({
  meta: { name: "update", description: "change an API key's name or description" },
  args: {
    id: ID,
    name: { type: "string", valueHint: "NAME", description: "what reports call it" },
    description: { type: "string", valueHint: "TEXT", description: 'what it is for; "" takes it away' },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ['majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --name "Team search"'],
  async run({ args }) {
    const { name, description } = args
    if (name === undefined && description === undefined) {
      throw new CommandError("keys update: nothing to change; give --name, --description or both", 2)
    }
    await withDatabase(args.config, async (database) => {
      const key = await updateKey(database, args.id, { name, description })
      if (args.json) printJson(toKeyObject(key))
      else print(renderKey(key))
    })
  },
})
