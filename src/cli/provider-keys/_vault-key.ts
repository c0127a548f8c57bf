import { vault } from "../../api/routes/vault.ts"
import { CommandError } from "../../core/errors.ts"
import type { ProviderKey } from "../../operations/provider-keys/provider-key.ts"
import { initVault } from "../../operations/vault/init.ts"
import { call } from "../_call.ts"
import { confirm } from "../_confirm.ts"
import { findGateway, type RemoteArgs } from "../_gateway.ts"
import { withSettings } from "../_open.ts"
import { printMessage } from "../_print.ts"

/** The first provider key may be stored before the first start of the gateway. */
const STATUS = { ...vault.status, mayCreate: true } as typeof vault.status

/**
 * Checks that a provider key can be encrypted, before anybody is asked for it. On a terminal it offers to make the vault key
 * if that is missing on this machine.
 *
 * @throws CommandError if there is no vault key, or it cannot be read
 */
export async function requireVaultKey(args: RemoteArgs): Promise<void> {
  const { vault_key_id: id, problem } = await call(args, STATUS, {})
  if (problem !== null) throw new CommandError(problem)
  if (id !== null) return
  if (findGateway(args) !== undefined) {
    throw new CommandError(
      "the gateway has no vault key to encrypt it with: run majordomo-gateway vault init on its machine, or set vault.key",
    )
  }
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new CommandError(
      "there is no vault key to encrypt it with: run majordomo-gateway vault init on the machine of the gateway, or set vault.key",
    )
  }
  await confirm("There is no vault key yet, which encrypts provider keys. Make one?", {})
  const { vault_key_id: made, file } = await withSettings(args.config, initVault)
  printMessage(`Made the vault key ${made} in ${file}. Keep a copy of it, apart from backups of the database.`)
}

/**
 * Warns if other provider keys are encrypted with another vault key than the new secret: a gateway that has only that one
 * uses its provider keys until then, and cannot use this one.
 */
export async function warnOfOtherVaultKeys(args: RemoteArgs, { vault_key_id: used }: ProviderKey): Promise<void> {
  const { encrypted } = await call(args, vault.status, {})
  const others = encrypted.map(({ vault_key_id: id }) => id).filter((id) => id !== used)
  if (others.length === 0) return
  printMessage(
    `warning: this secret is encrypted with the vault key ${used}, and other provider keys with ${others.join(", ")}. A gateway without the vault key ${used} cannot use it: run majordomo-gateway vault status on the machine of each gateway`,
  )
}
