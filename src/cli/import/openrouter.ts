import { defineCommand } from "../_command.ts"
import { FILE_ARGUMENT, IMPORT_OPTIONS, runImport } from "./_requests.ts"

export default defineCommand({
  meta: {
    name: "openrouter",
    description:
      "import generations of OpenRouter, from the CSV of its page Activity; exit code 1 if lines could not be read",
  },
  args: { file: FILE_ARGUMENT, ...IMPORT_OPTIONS },
  examples: ["majordomo-gateway import openrouter openrouter_activity.csv --dry-run"],
  run: ({ args }) => runImport("openrouter", args),
})
