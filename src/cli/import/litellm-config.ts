import { resolve } from "node:path"
import { translateLitellmConfig } from "../../operations/imports/litellm-config.ts"
import { defineCommand } from "../_command.ts"
import { print } from "../_print.ts"

export default defineCommand({
  meta: {
    name: "litellm-config",
    description: "translate a config.yaml of LiteLLM into a majordomo.yaml, without its secrets",
  },
  args: { file: { type: "positional", description: "the config.yaml", valueHint: "FILE" } },
  examples: ["majordomo-gateway import litellm-config config.yaml > majordomo.yaml"],
  async run({ args }) {
    print((await translateLitellmConfig(resolve(args.file ?? ""))).trimEnd())
  },
})
