// npm run fuzz: runs the fuzzers with FUZZ_COUNT inputs each (default: a million). FUZZ_SEED repeats a run.
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const env = { FUZZ_COUNT: "1000000", ...process.env }
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url))
const { status } = spawnSync(process.execPath, [vitest, "run", "test/fuzz"], { env, stdio: "inherit" })
process.exit(status ?? 1)
