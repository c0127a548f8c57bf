import { limits } from "../../api/routes/limits.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson, printMessage } from "../_print.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { renderLimits } from "./_limits.ts"

export default defineCommand({
  meta: { name: "list", description: "all limits: what is used, reserved and left of each, and when it resets" },
  args: { ...EXACT_OPTION, ...JSON_OPTION, ...WATCH_OPTION, ...REMOTE },
  examples: ["majordomo-gateway limits list", "majordomo-gateway limits list --json"],
  async run({ args }) {
    const all = await call(args, limits.list, {})
    if (args.json) printJson(all)
    else if (all.length > 0) print(renderLimits(all, findScreen(), Date.now()))
    else
      printMessage(
        "No limits yet. The first one:\n  majordomo-gateway limits create NAME --measure cost --amount 50 --window month",
      )
  },
})
