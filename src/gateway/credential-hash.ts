import { hashKey } from "../core/key.ts"

interface Hashed {
  readonly secret: string
  readonly hash: string
}

/** The gateway key, and the provider's credential. */
const PER_CONNECTION = 2
const remembered = new WeakMap<object, Hashed[]>()

/**
 * The hash of a secret that came on a connection. Clients send the same one with every request, so it is remembered,
 * with its hash, as long as the connection lives, and not longer.
 */
export function hashOncePerSocket(connection: object, secret: string): string {
  const known = remembered.get(connection) ?? []
  for (const each of known) if (each.secret === secret) return each.hash
  const hash = hashKey(secret)
  if (known.length === 0) remembered.set(connection, known)
  if (known.length === PER_CONNECTION) known.shift()
  known.push({ secret, hash })
  return hash
}
