import { installService } from "../../operations/service/install.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { print, printJson } from "../_print.ts"
import { SERVICE_OPTIONS, toServiceOptions } from "./_options.ts"

export default defineCommand({
  meta: { name: "install", description: "write the file with which systemd or launchd runs the gateway" },
  args: { ...SERVICE_OPTIONS, ...JSON_OPTION },
  examples: ["sudo majordomo-gateway service install", "majordomo-gateway service install --user"],
  async run({ args }) {
    const installed = installService(await toServiceOptions(args))
    if (args.json) return printJson(installed)
    const lines = installed.written.map((path) => `Wrote ${path}`)
    const key = `${args.user ? "" : "sudo "}majordomo-gateway keys create --name First`
    const steps = ["", "To start the service, now and at each boot:", "", `  ${installed.next}`]
    print([...lines, ...steps, "", "When it runs, this creates its first key:", "", `  ${key}`].join("\n"))
  },
})
