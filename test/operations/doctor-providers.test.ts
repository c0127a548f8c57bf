import { tmpdir } from "node:os"
import { expect, onTestFinished, test } from "vitest"
import { checkProviders } from "../../src/operations/doctor/providers.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { startConnectProxy } from "../support/connect-proxy.ts"

test("the doctor says to correct the proxy, and not the address of a provider, if the proxy rejects it", async () => {
  const proxy = await startConnectProxy({ credentials: "me:swordfish" })
  onTestFinished(() => proxy.close())
  const env = { HTTPS_PROXY: `http://me:wrong@127.0.0.1:${proxy.port}`, HTTP_PROXY: "" }
  const { settings } = await loadSettings({ cwd: tmpdir(), env })
  const findings = await checkProviders({ settings })
  expect(findings.find(({ message }) => message.startsWith("openai "))).toMatchObject({
    status: "problem",
    message: expect.stringMatching(/the proxy requires other credentials, 407$/),
    fix: expect.stringContaining("HTTPS_PROXY"),
  })
  expect(JSON.stringify(findings)).not.toContain("wrong")
})
