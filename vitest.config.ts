import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    globalSetup: [
      "test/support/global-setup.ts",
      "test/support/embedded-assets.ts",
      "test/support/tokenizer-assets.ts",
    ],
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Tests wait for a condition. How long that takes depends more on the machine than on the code.
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
    // Most tests wait for sockets and processes, so two files at once on two cores take little more than half the time.
    maxWorkers: 2,
  },
})
