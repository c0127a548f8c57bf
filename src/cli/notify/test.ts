import { notifications } from "../../api/routes/notifications.ts"
import { CommandError } from "../../core/errors.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { printable } from "../_text.ts"

export default defineCommand({
  meta: { name: "test", description: "send a test message to a channel; exit code 1 if it was not accepted" },
  args: {
    channel: { type: "positional", description: "the name of a channel of notifications.channels", required: true },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway notify test ops"],
  async run({ args }) {
    const result = await call(args, notifications.test, { name: args.channel })
    const { channel, accepted, error } = result
    if (args.json) printJson(result)
    if (!accepted) throw new CommandError(`${printable(channel)} did not accept the message: ${printable(error ?? "")}`)
    if (!args.json)
      print(`${printable(channel)} has accepted the message${error === null ? "" : ` (${printable(error)})`}.`)
  },
})
