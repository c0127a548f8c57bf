import { tmpdir } from "node:os"
import { describe, expect, test } from "vitest"
import { describeSettings } from "../../src/server/describe.ts"
import { loadSettings } from "../../src/server/settings.ts"

const load = (env: Readonly<Record<string, string>>) => loadSettings({ cwd: tmpdir(), env, systemFile: "/none" })

async function findProxies(env: Readonly<Record<string, string>>) {
  const { upstream, pricing, s3 } = (await load(env)).settings
  expect([pricing.proxies, s3.proxies]).toEqual([upstream.proxies, upstream.proxies])
  return upstream.proxies
}

describe("[U15] upstream.proxy", () => {
  test("is the environment by default, in upper and lower case, with or without a scheme", async () => {
    expect(await findProxies({})).toBeUndefined()
    expect(await findProxies({ HTTPS_PROXY: "http://a:1", HTTP_PROXY: "b:2", NO_PROXY: ".x, y:80 z" })).toEqual({
      https: "http://a:1/",
      http: "http://b:2/",
      except: [".x", "y:80", "z"],
    })
    expect(await findProxies({ HTTPS_PROXY: "http://a:1", https_proxy: "https://b:2", no_proxy: "*" })).toEqual({
      https: "https://b:2/",
      http: undefined,
      except: ["*"],
    })
    expect(await findProxies({ HTTPS_PROXY: "http://a:1", https_proxy: " " })).toMatchObject({ https: "http://a:1/" })
  })

  test("can be none, or one address for everything", async () => {
    const env = { HTTPS_PROXY: "http://a:1", NO_PROXY: "x" }
    expect(await findProxies({ ...env, MAJORDOMO_UPSTREAM_PROXY: "none" })).toBeUndefined()
    const own = "http://me:swordfish@c:3/"
    expect(await findProxies({ ...env, MAJORDOMO_UPSTREAM_PROXY: own })).toEqual({
      https: own,
      http: own,
      except: ["x"],
    })
  })

  test("is named at the start, without credentials", async () => {
    const lines = describeSettings(await load({ HTTPS_PROXY: "http://me:swordfish@a:1", NO_PROXY: ".corp" }))
    expect(lines).toContain("Settings from HTTPS_PROXY")
    expect(lines).toContain("Addresses with https:// are reached through http://a:1, except for .corp (HTTPS_PROXY)")
    expect(lines.join()).not.toContain("swordfish")
  })

  test.each<Record<string, string>>([
    { HTTPS_PROXY: "socks5://me:swordfish@a:1" },
    { http_proxy: "http://me:swordfish@a:1/path" },
    { MAJORDOMO_UPSTREAM_PROXY: "http://me:swordfish@" },
    { MAJORDOMO_UPSTREAM_PROXY: "http://me:%zzswordfish@a" },
  ])("that is no HTTP proxy is an error that does not show it: %j", async (env) => {
    const error = await load(env).then(
      () => "",
      (failure: Error) => failure.message,
    )
    expect(error).toContain("the http:// or https:// address of a proxy, such as http://user:password@proxy:3128, got")
    expect(error).not.toContain("swordfish")
  })
})
