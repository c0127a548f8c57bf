import { CommandError } from "../../core/errors.ts"
import { toLastFour } from "../../core/provider-credential.ts"
import { type EncryptedSecret, encrypt, type Owner } from "../../vault/cipher.ts"
import { checkFit } from "../../vault/fit.ts"
import { openKeyring } from "../../vault/keyring.ts"
import { type Kind, parseSecret } from "../../vault/secret.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"

interface Sealed {
  readonly encrypted: EncryptedSecret
  readonly lastFour: string
}

/**
 * Checks the secret of a provider key, and encrypts it.
 *
 * @throws CommandError if it cannot be one of the provider, or there is no vault key; it never contains the secret
 */
export function sealSecret(
  { settings }: Context<"settings">,
  owner: Owner,
  { kind, secret: text }: { readonly kind: Kind; readonly secret: string },
): Sealed {
  const provider = settings.providers[owner.provider]
  if (provider === undefined) throw toUnknownProvider(owner.provider, Object.keys(settings.providers))
  const secret = parseSecret(kind, text)
  checkFit(secret, { name: owner.provider, ...provider })
  const { current } = openKeyring(settings)
  if (current === undefined) {
    throw new CommandError(
      "there is no vault key to encrypt it with: run majordomo-gateway vault init on the machine of the gateway, or set vault.key",
    )
  }
  return { encrypted: encrypt(current, JSON.stringify(secret), owner), lastFour: toLastFour(secret) }
}

function toUnknownProvider(name: string, known: readonly string[]): InputError {
  return new InputError(
    "provider",
    `expected one of ${known.join(", ")}, got ${JSON.stringify(name.slice(0, 60))} (further ones are settings: providers.NAME)`,
  )
}
