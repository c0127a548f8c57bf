import { describe, expect, test } from "vitest"
import { toIdentity } from "../../src/operations/sessions/oidc/identity.ts"

const open = { allowedDomains: [], roleClaim: "roles", defaultRole: undefined }
const domain = { allowedDomains: ["Example.com"], roleClaim: undefined, defaultRole: "viewer" } as const
const ann = { sub: "4711", email: "ann@example.com", email_verified: true }

describe("the identity that a provider vouches for", () => {
  test.each([
    ["a text", "admin", "admin"],
    ["the highest of a list", ["viewer", "admin", "auditor"], "admin"],
  ])("has the role of its claim: %s", (_title, roles, role) => {
    expect(toIdentity({ ...ann, roles }, open)).toEqual({ name: "ann@example.com", role })
  })

  test("has the default role, if its claim names none", () => {
    expect(toIdentity({ ...ann, roles: ["staff"] }, { ...domain, roleClaim: "roles" }).role).toBe("viewer")
    expect(toIdentity(ann, domain).role).toBe("viewer")
  })

  test.each([["Admin"], [["staff"]], [{ admin: true }], [undefined], [""]])("has no role by the claim %j", (roles) => {
    expect(() => toIdentity({ ...ann, roles }, open)).toThrow(/no role/)
  })

  test.each(["ann@example.com.evil.example", "ann@sub.example.com", "ann@example.com@evil.example", "example.com@x.y"])(
    "of %s is not of the domain example.com",
    (email) => {
      expect(() => toIdentity({ ...ann, email }, domain)).toThrow(expect.objectContaining({ reason: "domain" }))
    },
  )

  test.each([false, "true", undefined, 1])("has no verified address if email_verified is %j", (email_verified) => {
    const claims = { ...ann, email_verified, roles: "viewer" }
    expect(() => toIdentity(claims, domain)).toThrow(expect.objectContaining({ reason: "unverified" }))
    expect(toIdentity(claims, open).name).toBe("4711")
  })

  test("is named by what nobody can choose: a user name stands beside its subject", () => {
    const claims = { sub: "4711", preferred_username: "root\n@exa\u202emple.com", roles: "viewer" }
    expect(toIdentity(claims, open).name).toBe("root@example.com (4711)")
  })
})
