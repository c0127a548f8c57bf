import { CommandError } from "../core/errors.ts"
import { copyDatabase } from "../database/copy.ts"
import { isPostgres, openPostgres } from "../database/open.ts"
import type { Context } from "./context.ts"
import { InputError } from "./input-error.ts"

export interface CopyResult {
  readonly keys: number
  /** Requests in the source. */
  readonly requests: number
  /** The requests among them that the target did not have before. */
  readonly added: number
  readonly repricings: number
  /** Why the totals of pruned days were not copied; null if they were, or if there are none. */
  readonly sums_left_out: string | null
}

/**
 * Returns `url` if it is the address of a PostgreSQL.
 *
 * @throws InputError if it is not
 */
export function parseTarget(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url)) return url
  throw new InputError("to", "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE")
}

/**
 * Copies everything in the embedded database into a PostgreSQL. It may be repeated: rows keep their ids, and rows that
 * are in the target already are not changed.
 *
 * @throws CommandError if the source is no embedded database, or the target cannot be reached
 */
export async function copyToPostgres(
  { database, settings, onProgress }: Context<"database" | "settings" | "onProgress">,
  { to }: { readonly to: string },
): Promise<CopyResult> {
  const { storage } = settings
  if (isPostgres(storage)) {
    throw new CommandError("--to copies the embedded database, but a PostgreSQL is configured: use pg_dump to copy it")
  }
  const target = await openPostgres({ ...storage.postgres, url: to, isSet: true })
  try {
    const { sumsLeftOut, ...copied } = await copyDatabase(database, target, onProgress)
    return { ...copied, sums_left_out: sumsLeftOut ?? null }
  } finally {
    await target.close()
  }
}
