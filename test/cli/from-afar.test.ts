import { readdirSync } from "node:fs"
import { beforeEach, describe, expect, test, vi } from "vitest"

/** The files that are not run again, with the reason. */
const ONLY_HERE: Readonly<Record<string, string>> = {
  colors: "it calls the functions that render, and runs no command",
  explain: "it calls the functions that explain a cost, and runs no command",
  tables: "it calls the functions that render, and runs no command",
  "usage-screens": "it calls the functions that render, and runs no command",
  demo: "--demo means the data of this machine",
  doctor: "doctor and health work on the machine on which they run",
  "migrate-to": "migrate works on the machine on which it runs; the other commands only show what it did",
  "gateway-errors": "it asks servers of its own from afar",
  statusline: "it always asks a gateway, and is told which one",
  remote: "it compares the commands here with those from afar, and has gateways of its own",
}

/** The tests whose expectation cannot hold from afar, by file and name, with the reason. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "program: a configuration with mistakes":
    "a command from afar reads no settings, and no gateway starts with such settings",
  "program: an empty report shows how to send the first request":
    "here it names the port of the settings, and from afar the address at which it has asked the gateway",
  "usage-commands: on the embedded database joins a running gateway, which can stop and start again meanwhile":
    "the second gateway of the test has another port, which a command from afar cannot know",
  "provider-keys: without a vault key, provider-keys add says so before it reads the secret, here and from afar":
    "here it says to run vault init, and from afar to run it on the machine of the gateway",
  "provider-keys: on a terminal, it offers to make the vault key, and makes none without a yes":
    "a vault key is made on the machine of the gateway only, so it is not offered from afar",
  "notify: test needs neither a database nor a gateway that has been started, and says that nothing was stored":
    "a gateway has a database, so that its audit log names who tested from afar",
  "newer-schema: a newer breaking schema is rejected by pricing/history, in one line, before anything is written":
    "a gateway that runs when the database is upgraded has the history in its memory",
  "newer-schema: a newer breaking schema is rejected by archive/run, in one line, before anything is written":
    "a gateway has an archive of its own, so that --to is rejected from afar",
}

vi.mock("../support/gateway.ts", async (original) => {
  const actual = await original<typeof import("../support/gateway.ts")>()
  const { sendFromAfar } = await import("../support/from-afar.ts")
  return {
    ...actual,
    createInstallation: (...options: Parameters<typeof actual.createInstallation>) =>
      sendFromAfar(actual.createInstallation(...options)),
  }
})

const files = readdirSync(new URL(".", import.meta.url)).flatMap((name) => /^(.*)\.test\.ts$/.exec(name)?.[1] ?? [])
const seen = new Set<string>()

// The tests of the files are registered here, where each command of theirs that can ask a gateway asks one.
describe.each(files.filter((name) => name !== "from-afar" && !Object.hasOwn(ONLY_HERE, name)))(
  "from afar, everything holds: %s",
  async (file) => {
    beforeEach(({ task, skip }) => {
      const name = `${file}: ${task.name}`
      seen.add(name)
      skip(Object.hasOwn(DIFFERENT, name), DIFFERENT[name])
    })
    await import(`./${file}.test.ts`)
  },
)

test("each exception names a file or a test that there is", () => {
  expect(Object.keys(ONLY_HERE).filter((name) => !files.includes(name))).toEqual([])
  expect(Object.keys(DIFFERENT).filter((name) => !seen.has(name))).toEqual([])
})
