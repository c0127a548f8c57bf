import { readTokens } from "../../database/access/tokens.ts"
import type { Context } from "../context.ts"
import { type Token, toToken } from "./token.ts"

/** Lists all admin tokens, the oldest first, those that are no longer valid included. */
export async function listTokens({ database, now }: Context<"database" | "now">): Promise<readonly Token[]> {
  return (await readTokens(database)).map((token) => toToken(token, now()))
}
