import type { Role } from "../../core/actor.ts"
import { CommandError } from "../../core/errors.ts"
import { generateAdminToken } from "../../core/key.ts"
import { explainInvisible } from "../../core/text.ts"
import { recordChange } from "../../database/access/audit.ts"
import { deleteToken, insertToken } from "../../database/access/tokens.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { type Token, toToken } from "./token.ts"

interface NewTokenInput {
  readonly name: string
  readonly role: Role
  /** Milliseconds from now until it expires; undefined: never. */
  readonly expiresInMs: number | undefined
}

/** A new token with its secret, which is stored nowhere and cannot be read again. */
export interface CreatedToken extends Token {
  readonly token: string
}

const MAX_NAME_LENGTH = 255

/**
 * Creates an admin token. In a database without tables it creates the schema first if `storage.auto_migrate` allows it.
 *
 * @throws InputError if the name is not valid
 */
export async function createToken(
  { database, settings, actor, now, log }: Context<"database" | "settings" | "actor" | "now" | "log">,
  { name, role, expiresInMs }: NewTokenInput,
): Promise<CreatedToken> {
  checkName(name)
  if (settings.storage.autoMigrate && (await readSchemaState(database.query)).kind === "none") {
    await migrate(database, log)
  }
  const secret = generateAdminToken()
  const expiresAt = expiresInMs === undefined ? null : new Date(now() + expiresInMs)
  try {
    return await database.transaction(async (query) => {
      const stored = await insertToken(query, { secret, name, role, createdBy: actor.name, expiresAt })
      const token = toToken(stored, now())
      await recordChange(query, actor, { action: "tokens.create", target: token.id, after: token })
      return { ...token, token: secret }
    })
  } catch (error) {
    // Nobody has seen the secret. The answer to COMMIT may have been lost, so that the token exists.
    await deleteToken(database.query, secret).catch(() => {})
    throw error
  }
}

/**
 * Deletes a new token that could not be shown to anybody.
 *
 * @throws CommandError if it still exists
 */
export async function discardToken(
  { database, actor }: Context<"database" | "actor">,
  { id, token }: Pick<CreatedToken, "id" | "token">,
): Promise<void> {
  const discard = database.transaction(async (query) => {
    if (await deleteToken(query, token)) await recordChange(query, actor, { action: "tokens.discard", target: id })
  })
  await discard.catch((error: Error) => {
    throw new CommandError(
      `the new token ${id} could not be shown, and not be deleted (${error.message}): revoke it with tokens revoke ${id}`,
    )
  })
}

function checkName(name: string): void {
  const problem = explainInvisible(name)
  if (problem !== undefined) throw new InputError("name", `the name ${problem}`)
  if (name.trim() === "" || [...name].length > MAX_NAME_LENGTH || /\p{Surrogate}/u.test(name)) {
    throw new InputError("name", `expected a name of at most ${MAX_NAME_LENGTH} characters`)
  }
}
