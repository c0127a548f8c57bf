import { toServiceDefinition } from "../../operations/service/definition.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { SERVICE_OPTIONS, toServiceOptions } from "./_options.ts"

export default defineCommand({
  meta: { name: "print", description: "print the file with which systemd or launchd runs the gateway" },
  args: { ...SERVICE_OPTIONS, ...JSON_OPTION },
  examples: ["majordomo-gateway service print", "majordomo-gateway service print --user"],
  async run({ args }) {
    const definition = toServiceDefinition(await toServiceOptions(args))
    if (args.json) printJson({ path: definition.path, content: definition.content, next: definition.next })
    else print(definition.content)
  },
})
