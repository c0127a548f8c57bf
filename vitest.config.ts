import { readdirSync } from "node:fs"
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"
import { FAST_START } from "./test/support/fast-start.ts"
import { useMemoryForFiles } from "./test/support/memory-disk.ts"

useMemoryForFiles()

/**
 * Files that measure their process, replace a part of it, or simulate its death. Each has a process of its own. The others run
 * one after the other in the same processes, which saves a second of CPU time for starting and importing in each file. Their
 * tests keep nothing in modules or in the process.
 */
const ALONE = [
  "test/bodies/s3-credentials.test.ts",
  "test/chaos/",
  "test/cli/from-afar.test.ts",
  "test/client/client.test.ts",
  "test/core/secrets.test.ts",
  "test/database/ledger-crashes.test.ts",
  "test/database/logs-disk.test.ts",
  "test/database/logs-outage.test.ts",
  "test/database/recovery-stats.test.ts",
  "test/e2e/sdk.test.ts",
  "test/e2e/websocket-openai.test.ts",
  "test/fuzz/",
  "test/gateway/large-bodies.test.ts",
  "test/kit/log/journal-disk.test.ts",
  "test/kit/make-directory.test.ts",
  "test/matrix/key-flood.test.ts",
  "test/matrix/leaving.test.ts",
  "test/matrix/limits.test.ts",
  "test/matrix/memory.test.ts",
  "test/matrix/streams.test.ts",
  "test/pricing/commands.test.ts",
  "test/pricing/fetch-list.test.ts",
  "test/providers/dialects.test.ts",
  "test/providers/large.test.ts",
  "test/server/budget.test.ts",
  "test/speed/",
]
const files = readdirSync(new URL("test/", import.meta.url), { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((path) => path.endsWith(".test.ts"))
const [alone, shared] = [true, false].map((isAlone) =>
  files.filter((path) => ALONE.some((start) => path.startsWith(start)) === isAlone),
)

/** Rooms with files that take longest. */
const LONG = ["chaos", "e2e", "dashboard", "cli", "database", "docs", "matrix"]

/**
 * Files of long rooms are first among those that have processes of their own, and among those that share them. The many short
 * files are last, so that all workers end at about the same time.
 */
class LongFilesFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const toRank = ({ moduleId, project }: TestSpecification) => {
      const place = LONG.findIndex((room) => moduleId.includes(`/test/${room}/`))
      return (project.name === "shared" ? LONG.length + 1 : 0) + (place === -1 ? LONG.length : place)
    }
    return (await super.sort(specifications)).toSorted((one, other) => toRank(one) - toRank(other))
  }
}

const common: TestProjectInlineConfiguration["test"] = {
  // Tests wait for conditions. How long that takes depends on the machine more than on the code, so these bounds end only a hang.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 120_000 } },
  pool: "forks",
  execArgv: FAST_START,
  setupFiles: ["test/support/each-file.ts"],
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
    sequence: { sequencer: LongFilesFirst },
    projects: [
      { mode, test: { ...common, name: "alone", include: alone! } },
      { mode, test: { ...common, name: "shared", include: shared!, isolate: false } },
    ],
  },
}))
