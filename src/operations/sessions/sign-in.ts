import type { Actor, Role } from "../../core/actor.ts"
import { CommandError } from "../../core/errors.ts"
import { generateSecret, isAdminToken } from "../../core/key.ts"
import { recordChange } from "../../database/access/audit.ts"
import { useCode } from "../../database/access/codes.ts"
import { insertSession } from "../../database/access/sessions.ts"
import { findToken } from "../../database/access/tokens.ts"
import type { Context, Database } from "../context.ts"
import { type Session, toSession } from "./session.ts"

/** How a person signs in. The provider of an `identity` has vouched for it, and the settings have given it a role. */
export type Proof =
  | { readonly token: string }
  | { readonly code: string }
  | { readonly identity: { readonly name: string; readonly role: Role } }

/** A person's proof is not valid. */
export class SignInError extends CommandError {}

const SESSION_MS = 12 * 3_600_000

interface SignedIn {
  readonly session: Session
  /** What the cookie contains. It is stored nowhere. */
  readonly secret: string
}

/**
 * Signs a person in: creates a session with a new secret, which is valid for 12 hours, or until its token expires.
 *
 * @throws SignInError if the proof is not valid. The audit log has the attempt.
 */
export async function signIn(
  { database, now }: Context<"database" | "now">,
  { proof, address }: { readonly proof: Proof; readonly address: string | null },
): Promise<SignedIn> {
  const person = await findPerson(database, proof)
  if (person === undefined) {
    const how = "token" in proof ? "token" : "code"
    await recordRejection({ database }, { address, after: { how } })
    throw new SignInError(REASONS[how])
  }
  const secret = generateSecret()
  const expiresAt = new Date(Math.min(now() + SESSION_MS, person.expiresAt ?? Number.POSITIVE_INFINITY))
  return database.transaction(async (query) => {
    const { name, role, how, tokenId } = person
    const stored = await insertSession(query, {
      ...{ secret, name, role, how, address },
      token_id: tokenId,
      expires_at: expiresAt,
    })
    const session = toSession(stored, now())
    const actor: Actor = { kind: "session", name, role, id: session.id, address }
    await recordChange(query, actor, { action: "sessions.create", target: session.id, after: session })
    return { session, secret }
  })
}

/** Writes a sign-in that failed to the audit log: how it was tried, and why it failed. */
export async function recordRejection(
  { database }: Context<"database">,
  {
    address,
    after,
  }: { readonly address: string | null; readonly after: { how: Session["how"]; reason?: string; detail?: string } },
): Promise<void> {
  const actor: Actor = { kind: "anonymous", name: "unknown", role: "viewer", id: null, address }
  await recordChange(database.query, actor, { action: "sessions.reject", target: null, after })
}

const REASONS = {
  token: "the admin token is unknown, expired or revoked",
  code: "the code of this link was used, or is older than a minute: run majordomo-gateway dashboard again",
}

interface Person {
  readonly name: string
  readonly role: Role
  readonly how: Session["how"]
  readonly tokenId: string | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

async function findPerson(database: Database, proof: Proof): Promise<Person | undefined> {
  const none = { tokenId: null, expiresAt: undefined }
  if ("identity" in proof) return { ...proof.identity, ...none, how: "oidc" }
  if ("code" in proof) {
    const code = await useCode(database.query, proof.code)
    return code && { name: code.created_by, role: code.role, ...none, how: "code" }
  }
  const token = isAdminToken(proof.token) ? await findToken(database, proof.token) : undefined
  return (
    token && {
      name: token.name,
      role: token.role,
      how: "token",
      tokenId: token.id,
      expiresAt: token.expires_at?.getTime(),
    }
  )
}
