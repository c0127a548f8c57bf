import { readdirSync } from "node:fs"
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"
import { FAST_START } from "./test/support/fast-start.ts"

/**
 * Rooms whose files run one after the other in the same processes, which saves half a second of starting and importing for
 * each file. Their tests keep nothing in modules or in the process.
 */
const SHARED = ["api", "core", "gateway", "jobs", "operations", "pricing", "providers", "reconcile", "reports", "vault"]
/** Files of these rooms that measure their process, or replace a part of it. */
const ALONE = [
  "test/core/secrets.test.ts",
  "test/gateway/large-bodies.test.ts",
  "test/pricing/commands.test.ts",
  "test/pricing/fetch-list.test.ts",
  "test/providers/dialects.test.ts",
  "test/providers/large.test.ts",
]
const shared = SHARED.flatMap((room) =>
  readdirSync(new URL(`test/${room}/`, import.meta.url), { recursive: true, encoding: "utf8" })
    .map((name) => `test/${room}/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".test.ts") && !ALONE.includes(path)),
)

const common: TestProjectInlineConfiguration["test"] = {
  // Tests wait for conditions. How long that takes depends on the machine more than on the code, so these bounds end only a hang.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 120_000 } },
  pool: "forks",
  execArgv: FAST_START,
  // Many tests wait for sockets and processes, so three files at once keep two cores busy.
  maxWorkers: 3,
}

export default defineConfig(({ mode }) => ({
  test: {
    globalSetup: [
      "test/support/global-setup.ts",
      "test/support/embedded-assets.ts",
      "test/support/tokenizer-assets.ts",
    ],
    // They run in the order of their names. The many short files are last, so that all workers end at about the same time.
    projects: [
      { mode, test: { ...common, name: "alone", include: ["test/**/*.test.ts"], exclude: shared } },
      { mode, test: { ...common, name: "shared", include: shared, isolate: false } },
    ],
  },
}))
