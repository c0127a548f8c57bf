import { generateSecret } from "../../core/key.ts"
import { recordChange } from "../../database/access/audit.ts"
import { insertCode } from "../../database/access/codes.ts"
import type { Context } from "../context.ts"

interface SignInCode {
  /** It signs in once, as an admin, until it expires. */
  readonly code: string
  readonly expires_at: string
}

/** Creates a code with which the caller can sign in to the dashboard once, within a minute. */
export async function createSignInCode({ database, actor }: Context<"database" | "actor">): Promise<SignInCode> {
  const code = generateSecret()
  return database.transaction(async (query) => {
    const expiresAt = await insertCode(query, { code, role: actor.role, createdBy: actor.name })
    await recordChange(query, actor, { action: "codes.create", target: null, after: { role: actor.role } })
    return { code, expires_at: expiresAt.toISOString() }
  })
}
