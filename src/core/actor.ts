/** What the holders of admin tokens and sessions may do. A later role may do everything that an earlier one may. */
export const ROLES = ["viewer", "auditor", "admin"] as const

/** `viewer` reads everything except bodies, `auditor` reads bodies too, and `admin` changes things. */
export type Role = (typeof ROLES)[number]

/** Returns whether a role may do what `needed` may do. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed)
}

/** Who calls an operation: the audit log names them. */
export interface Actor {
  /**
   * The holder of an admin token, a person who signed in to the dashboard, the holder of an API key, a command on the
   * gateway's machine, or the gateway itself. `anonymous` is a sign-in that failed.
   */
  readonly kind: "token" | "session" | "key" | "command" | "gateway" | "anonymous"
  /** The name of the token or key, or that of the person or the system's user. */
  readonly name: string
  readonly role: Role
  /** The id of the token, session or key. */
  readonly id: string | null
  /** The IP address of the client. */
  readonly address: string | null
}

/** The gateway itself, such as when it deletes old requests by its settings. */
export const GATEWAY_ACTOR: Actor = { kind: "gateway", name: "gateway", role: "admin", id: null, address: null }
