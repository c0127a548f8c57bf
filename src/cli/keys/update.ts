import { keys } from "../../api/routes/keys.ts"
import { listValues } from "../_args.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import {
  DISCOUNT,
  ID,
  METADATA,
  POLICY,
  PROVIDER_KEY,
  readMetadataOptions,
  readPolicyOptions,
  renderKey,
} from "./_keys.ts"

export default defineCommand({
  meta: {
    name: "update",
    description: "change an API key's name, description, discount, metadata, provider keys, policy or limits",
  },
  args: {
    id: ID,
    name: { type: "string", valueHint: "NAME", description: "the name by which reports show it" },
    description: { type: "string", valueHint: "TEXT", description: 'what it is for; "" removes it' },
    discount: { ...DISCOUNT, description: `${DISCOUNT.description}; 0 removes it` },
    ...METADATA,
    "provider-key": { ...PROVIDER_KEY, description: `${PROVIDER_KEY.description}; PROVIDER: ends the binding` },
    ...POLICY,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    'majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --name "Team search"',
    "majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --discount 12.5",
    "majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --require ''",
    "majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --provider-key openai:team-a",
    "majordomo-gateway keys update a1b2c3d4-e5f6-7890-abcd-ef1234567890 --expires never --models any --rpm 60",
  ],
  async run({ args, rawArgs }) {
    const { id, name, description, discount } = args
    const bound = listValues("provider-key", rawArgs)
    const provider_keys = bound.length === 0 ? undefined : bound
    const metadata = readMetadataOptions(rawArgs)
    const changes = { name, description, discount, ...metadata, provider_keys, ...readPolicyOptions(args) }
    const key = await call(args, keys.update, { id, ...changes })
    if (args.json) printJson(key)
    else print(renderKey(key))
  },
})
