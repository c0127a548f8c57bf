import { afterEach, describe, expect, it } from "vitest"
import { createInstallation, type Installation, toComplaints } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const LIMIT_MS = 240_000

const homes: Installation[] = []
afterEach(() => Promise.all(homes.splice(0).map((home) => home.remove())))

/** Command lines that run the program with an output that takes nothing. */
const OUTPUTS = {
  "a full disk": ["bash", "-c", 'exec "$0" "$@" > /dev/full'],
  "a pipe that nobody reads": ["bash", "-c", 'set -o pipefail; "$0" "$@" | true'],
} as const

/** Installs the program twice with the same database: with an output that takes nothing, and as usual. */
async function install(output: keyof typeof OUTPUTS, settings: Readonly<Record<string, string>> = {}) {
  const always = { DATABASE_URL: (await createTestDatabase()).url, MAJORDOMO_PRICING_REMOTE_URL: "", ...settings }
  const mute = createInstallation(always, { under: OUTPUTS[output] })
  const usual = createInstallation(always)
  homes.push(mute, usual)
  return { mute, usual }
}

describe.each(["a full disk", "a pipe that nobody reads"] as const)("a key that cannot be shown on %s", (output) => {
  it.each([[[]], [["--json"]]])(
    "by `keys create` does not exist afterwards (%j)",
    { timeout: LIMIT_MS },
    async (more) => {
      const { mute, usual } = await install(output)
      const { code, stderr } = await mute.run(["keys", "create", "--name", "unseen", ...more])
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /^error: the new key could not be shown \(.*(?:ENOSPC|EPIPE).*\), so it was deleted: try again\n$/,
      )
      expect(await usual.runJson(["keys", "list"])).toEqual([])
    },
  )

  it.each(["1", "2"])(
    "by `serve` does not exist afterwards, and the gateway ends, with %s workers",
    {
      timeout: LIMIT_MS,
    },
    async (workers) => {
      const { mute, usual } = await install(output, { MAJORDOMO_SERVER_WORKERS: workers })
      const { code, stderr } = await mute.run(["serve", "--port", "0"])
      expect(code).toBe(1)
      expect(toComplaints(stderr)).toMatch(
        /error: the new key could not be shown \(.*(?:ENOSPC|EPIPE).*\), so it was deleted: try again\n$/,
      )
      expect(await usual.runJson(["keys", "list"])).toEqual([])
      const gateway = await usual.serve()
      expect(gateway.stdout).toContain("Your first key (shown once):  mdm_sk_")
      await gateway.stop()
    },
  )
})
