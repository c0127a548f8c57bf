import { imports } from "../../api/routes/imports.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { confirm, YES_OPTION } from "../_confirm.ts"
import { print, printJson } from "../_print.ts"
import { withThousands } from "../_text.ts"

export default defineCommand({
  meta: { name: "undo", description: "remove the requests of an import, from all totals too" },
  args: {
    id: { type: "positional", description: "the id of the import, or its beginning", valueHint: "ID" },
    ...YES_OPTION,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway import undo 0197f3a2"],
  async run({ args }) {
    const id = args.id ?? ""
    await confirm(`Remove all requests of the import ${id}?`, args)
    const result = await call(args, imports.undo, { id })
    if (args.json) return printJson(result)
    const { source, requests, left } = result
    const lines = [`Removed ${withThousands(requests)} requests of ${source}, from all totals too`]
    if (left > 0) lines.push(`${withThousands(left)} requests were pruned before: they stay in the totals`)
    print(lines.join("\n"))
  },
})
