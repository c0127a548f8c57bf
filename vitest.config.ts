import { defineConfig } from "vitest/config"

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
    // Most tests wait for sockets and processes, so two files at once on two cores take little more than half the time.
    maxWorkers: 2,
  },
})
