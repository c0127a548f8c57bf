import { defineCommand } from "../_command.ts"
import { FILE_ARGUMENT, FROM_OPTION, IMPORT_OPTIONS, runImport } from "./_requests.ts"

export default defineCommand({
  meta: {
    name: "litellm",
    description: "import spend logs of LiteLLM (LiteLLM_SpendLogs); exit code 1 if lines could not be read",
  },
  args: { file: FILE_ARGUMENT, from: FROM_OPTION, ...IMPORT_OPTIONS },
  examples: [
    "majordomo-gateway import litellm spend-logs.csv --dry-run",
    "majordomo-gateway import litellm --from postgres://litellm@db.internal/litellm --since 90d",
  ],
  run: ({ args }) => runImport("litellm", args),
})
