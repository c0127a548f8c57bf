import type { Caller } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"

interface LockedKey {
  readonly provider: string
  readonly alias: string
  /** The vault key that encrypted it. */
  readonly keyId: string
}

export function toLocked({ provider, alias, keyId }: LockedKey): GatewayError {
  return new GatewayError(
    "vault_unavailable",
    `The gateway holds the key ${provider}:${alias}, but cannot decrypt it: it needs the vault key ${keyId}. Its operator finds the reason with majordomo-gateway vault status.`,
  )
}

export function toRemoved(provider: string, { keyId }: Caller): GatewayError {
  return new GatewayError(
    "provider_key_removed",
    `This gateway key is bound to a key of ${provider} that was removed. Bind it to another one with majordomo-gateway keys update ${keyId} --provider-key ${provider}:ALIAS.`,
  )
}

export function toNoDefault(provider: string): GatewayError {
  return new GatewayError(
    "no_provider_credential",
    `The gateway has keys of ${provider}, but none is the default, and this gateway key is bound to none. Run majordomo-gateway provider-keys update ${provider}:ALIAS --default.`,
  )
}

export function throwUnavailable(error: unknown): never {
  if (error instanceof GatewayError) throw error
  throw new GatewayError(
    "vault_unavailable",
    "The gateway cannot read its provider keys at the moment. Try again shortly.",
  )
}
