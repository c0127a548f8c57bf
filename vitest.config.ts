import { defineConfig } from "vitest/config"
import { FAST_START } from "./test/support/fast-start.ts"

export default defineConfig({
  test: {
    globalSetup: [
      "test/support/global-setup.ts",
      "test/support/embedded-assets.ts",
      "test/support/tokenizer-assets.ts",
    ],
    include: ["test/**/*.test.ts"],
    // Tests wait for conditions. How long that takes depends on the machine more than on the code, so these bounds end only a hang.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    pool: "forks",
    execArgv: FAST_START,
    // Many tests wait for sockets and processes, so three files at once keep two cores busy.
    maxWorkers: 3,
  },
})
