import { type Notes, toProblemLine } from "./sources.ts"

const PATH = "admin.oidc"

/** Finds settings of `admin.oidc` with which nobody could sign in, or everybody who has an account at the provider. */
export function checkOidc(
  values: ReadonlyMap<string, unknown>,
  sources: ReadonlyMap<string, string>,
  notes: Notes,
): void {
  const get = (name: string) => values.get(`${PATH}.${name}`)
  const fail = (name: string, why: string) =>
    notes.problems.push(toProblemLine(`${PATH}.${name}`, sources.get(`${PATH}.${name}`) ?? "default", why))
  const issuer = get("issuer")
  if (typeof issuer !== "string") return
  if (!isSafe(issuer)) fail("issuer", "expected an https:// address, or http:// with an address of this machine")
  if (get("client_id") === undefined) fail("client_id", `needed, because ${PATH}.issuer is set`)
  if (get("role_claim") === undefined && get("default_role") === undefined) {
    fail("default_role", `nobody could sign in: set it, or ${PATH}.role_claim`)
  }
  if (get("default_role") !== undefined && (get("allowed_domains") as readonly string[]).length === 0) {
    fail(
      "allowed_domains",
      `needed beside ${PATH}.default_role: everybody with an account at the provider could sign in`,
    )
  }
}

function isSafe(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false
  const { protocol, hostname } = new URL(issuer)
  return protocol === "https:" || (protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}
