import { defineCommand } from "../_command.ts"
import { FILE_ARGUMENT, IMPORT_OPTIONS, runImport } from "./_requests.ts"

export default defineCommand({
  meta: {
    name: "helicone",
    description: "import requests of Helicone, as its export tool writes them; exit code 1 if lines could not be read",
  },
  args: { file: FILE_ARGUMENT, ...IMPORT_OPTIONS },
  examples: ["majordomo-gateway import helicone helicone-export.jsonl --dry-run"],
  run: ({ args }) => runImport("helicone", args),
})
