import { afterAll, describe, expect, test } from "vitest"
import { createInstallation } from "../support/gateway.ts"

const installation = createInstallation({}, { inProcess: true })
afterAll(() => installation.remove())

describe("access to a gateway", () => {
  test("without a gateway, dashboard says how to start one", async () => {
    const { code, stderr } = await installation.run(["dashboard"])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: no gateway answers at .*majordomo-gateway serve/),
    ])
  })

  test("a token opens it from afar, a link of dashboard signs in once, and the audit log has both and the first key", async () => {
    const gateway = await installation.serve()
    const created = await installation.run(["tokens", "create", "--name", "ci", "--role", "viewer"])
    expect(created.stdout).toContain("Role:    viewer")
    const token = /mdm_admin_[\w-]{43}/.exec(created.stdout)![0]
    const afar = ["--gateway", gateway.origin, "--token", token]
    expect(await installation.runJson(["tokens", "list", ...afar])).toMatchObject([{ name: "ci" }])
    const forbidden = await installation.run(["keys", "create", "--name", "x", ...afar])
    expect([forbidden.code, forbidden.stderr]).toEqual([
      1,
      "error: this needs the role admin, and ci has the role viewer: use a token that majordomo-gateway tokens create has made with that role\n",
    ])

    const { url } = (await installation.runJson(["dashboard"])) as { url: string }
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/dashboard\/#code=[\w-]{43}$/)
    expect(url).toContain(gateway.origin)
    const signIn = () =>
      fetch(`${gateway.origin}/api/v1/sessions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ code: url.split("#code=")[1] }),
      })
    expect((await signIn()).status).toBe(201)
    expect((await signIn()).status).toBe(401)

    const audit = (await installation.runJson(["audit", "list"])) as { action: string; target: string }[]
    const actions = audit.map(({ action }) => action).reverse()
    expect(actions).toEqual(["keys.create", "tokens.create", "codes.create", "sessions.create", "sessions.reject"])
    const listed = await installation.run(["audit", "list"])
    expect(listed.stdout).toMatch(/tokens\.create/)
    const revoked = await installation.run(["tokens", "revoke", audit.at(-2)!.target, "--yes"])
    expect(revoked.stdout).toMatch(/is revoked: every gateway rejects it/)
    expect((await installation.run(["tokens", "list", ...afar])).stderr).toMatch(/does not accept this admin token/)
  })
})
