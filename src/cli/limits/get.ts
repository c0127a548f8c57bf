import { limits } from "../../api/routes/limits.ts"
import { CommandError } from "../../core/errors.ts"
import type { LimitUsageObject, ListedLimit } from "../../operations/limits/limit.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { LIMIT, renderLimit, renderLimits } from "./_limits.ts"

export default defineCommand({
  meta: { name: "get", description: "one limit; with --values, what each value of its --per has used" },
  args: {
    limit: LIMIT,
    values: { type: "boolean", description: "the values of --per, those that have used most first (at most 20)" },
    value: { type: "string", valueHint: "VALUE", description: "only this value of --per" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway limits get search",
    "majordomo-gateway limits get users --values",
    "majordomo-gateway limits get users --value 42",
  ],
  async run({ args }) {
    const { limit: id, value } = args
    const limit = await call(args, limits.get, { id })
    if (!args.values && value === undefined) return args.json ? printJson(limit) : print(renderLimit(limit))
    if (limit.per === null)
      throw new CommandError(`the limit ${limit.name} has one amount for all requests, and no values`)
    const values = await call(args, limits.values, { id, value })
    const rows = values.map((each): ListedLimit & LimitUsageObject => ({ ...limit, ...each }))
    if (args.json) printJson(rows)
    else if (rows.length > 0) print(renderLimits(rows, findScreen(), Date.now()))
    else printMessage(`No ${limit.per} has used this limit in its present window.`)
  },
})
