import { defineCommand } from "../_command.ts"
import { FILE_ARGUMENT, FROM_OPTION, IMPORT_OPTIONS, runImport } from "./_requests.ts"

export default defineCommand({
  meta: {
    name: "go",
    description:
      "import requests of the Go gateway from another database; `migrate` brings its own database up to date instead",
  },
  args: { file: FILE_ARGUMENT, from: FROM_OPTION, ...IMPORT_OPTIONS },
  examples: ["majordomo-gateway import go --from postgres://majordomo@db.internal/majordomo_gateway --dry-run"],
  run: ({ args }) => runImport("go", args),
})
