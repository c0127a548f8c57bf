import { limits } from "../../api/routes/limits.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { describe, FIELDS, readFields } from "./_limits.ts"

export default defineCommand({
  meta: { name: "create", description: "create a budget or a rate limit; what was used in its window already counts" },
  args: {
    name: { type: "positional", required: true, description: "its name, such as search-team" },
    ...FIELDS,
    measure: { ...FIELDS.measure, required: true },
    amount: { ...FIELDS.amount, required: true },
    "dry-run": { type: "boolean", description: "only say what it would allow" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway limits create search --measure cost --amount 50 --window month --tz Europe/Berlin --where Team=search",
    "majordomo-gateway limits create users --measure cost --amount 5 --window day --per User-Id",
    "majordomo-gateway limits create rate --measure requests --amount 60 --window minute --per key",
    "majordomo-gateway limits create parallel --measure concurrency --amount 5 --key Batch",
  ],
  async run({ args, rawArgs }) {
    const isDryRun = args["dry-run"] === true
    const { measure, amount } = args
    const input = { name: args.name, ...readFields(args, rawArgs), measure, amount, dry_run: isDryRun }
    const created = await call(args, limits.create, input)
    if (args.json) printJson(created)
    else print(isDryRun ? `It would say: ${created.summary}` : describe(created))
  },
})
