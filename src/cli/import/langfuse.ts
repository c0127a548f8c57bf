import { defineCommand } from "../_command.ts"
import { FILE_ARGUMENT, IMPORT_OPTIONS, runImport } from "./_requests.ts"

export default defineCommand({
  meta: {
    name: "langfuse",
    description: "import generations of Langfuse, from its API or an export; exit code 1 if lines could not be read",
  },
  args: { file: FILE_ARGUMENT, ...IMPORT_OPTIONS },
  examples: ["majordomo-gateway import langfuse observations.jsonl.gz --dry-run"],
  run: ({ args }) => runImport("langfuse", args),
})
