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
    // A wait ends when the thing is there; how soon that is says more of the machine than of the code.
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
    // Most tests wait for sockets and processes: two files at once on two cores take little more than half the time.
    maxWorkers: 2,
  },
})
