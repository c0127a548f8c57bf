// npm run matrix: each reliability case, whether it holds, and where it is tested. With `-- --faults`: each fault that was
// found, the rules that it broke, and the tests that hold them, as a table in Markdown.
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { runnerImport } from "vite"

const root = fileURLToPath(new URL("../../", import.meta.url))
await runnerImport(resolve(root, "test/matrix/main.ts"), { root, configFile: false, logLevel: "error" })
