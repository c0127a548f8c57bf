import { hashKey } from "../core/key.ts"

interface HashedSecret {
  readonly secret: string
  readonly hash: string
}

/** A connection carries the gateway key and the provider's credential. */
const MAX_PER_CONNECTION = 2
const hashes = new WeakMap<object, HashedSecret[]>()

/**
 * Returns the hash of a secret that arrived on a connection. Clients send the same secrets with every request, so the
 * last two are kept with their hashes until the connection closes.
 */
export function hashOncePerSocket(socket: object, secret: string): string {
  const known = hashes.get(socket) ?? []
  for (const each of known) if (each.secret === secret) return each.hash
  const hash = hashKey(secret)
  if (known.length === 0) hashes.set(socket, known)
  if (known.length === MAX_PER_CONNECTION) known.shift()
  known.push({ secret, hash })
  return hash
}
