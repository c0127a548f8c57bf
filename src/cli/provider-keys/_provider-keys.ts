import { CommandError } from "../../core/errors.ts"
import { isSecretValue } from "../../core/secrets.ts"
import type { ProviderKey } from "../../operations/provider-keys/provider-key.ts"
import { findGateway, type RemoteArgs } from "../_gateway.ts"
import { readSecret } from "../_secret.ts"
import { printable } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export const REFERENCE = {
  type: "positional",
  required: true,
  description: "the provider key: PROVIDER:ALIAS, its id, or the beginning of its id",
} as const

export const KIND = {
  type: "string",
  valueHint: "KIND",
  description: "aws (an access key, for Bedrock) or google (a service account, for Vertex AI)",
} as const

type Kind = ProviderKey["kind"]

/** @throws CommandError (exit code 2) for another word */
export function parseKind(text: string | undefined): Kind | undefined {
  if (text === undefined || text === "key" || text === "aws" || text === "google") return text
  throw new CommandError(`--kind: expected aws or google, got ${JSON.stringify(text.slice(0, 60))}`, 2)
}

/**
 * Checks that a secret can be sent to where a command works: this machine, or a gateway over TLS.
 *
 * @throws CommandError if the connection would not be encrypted
 */
export function requirePrivate(args: RemoteArgs): void {
  const gateway = findGateway(args)
  if (gateway === undefined) return
  const { protocol, hostname } = new URL(gateway.url)
  if (protocol === "https:" || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)) return
  throw new CommandError(
    `the secret would be sent to ${gateway.url} without encryption: use its https:// address, or run this on its machine`,
  )
}

/** @throws CommandError (exit code 2) if an argument looks like a secret, which other users of the machine can read */
export function rejectSecrets(...values: readonly (string | undefined)[]): void {
  if (!values.some((value) => value !== undefined && isSecretValue(value))) return
  throw new CommandError(
    "an argument looks like a secret, which other users of this machine and the history of your shell can read: give it on stdin, and replace it at the provider",
    2,
  )
}

/** Asks for the secret of a provider key, or reads it from stdin. */
export async function askSecret(name: string, kind: Kind): Promise<string> {
  if (process.stdin.isTTY !== true || kind === "key") return readSecret(`Key of ${name} (not shown): `)
  if (kind === "google") {
    throw new CommandError(
      "give the JSON file of the service account on stdin: … --kind google < service-account.json",
      2,
    )
  }
  const id = await readSecret("Access key id (not shown): ")
  return `${id}\n${await readSecret("Secret access key (not shown): ")}`
}

/** Renders one provider key, with a line for each of its members. */
export function renderProviderKey(key: ProviderKey): string {
  const lines = [
    ["Name", `${key.provider}:${key.alias}`],
    ["ID", key.id],
    ["Kind", key.kind],
    ["Default", key.is_default ? "yes" : "no"],
    ["Ends with", key.last_four || "-"],
    ["Created", `${toTime(key.created_at)} by ${key.created_by}`],
    ["Rotated", toTime(key.rotated_at)],
    ["Last used", toTime(key.last_used_at)],
    ["Vault key", key.vault_key_id ?? "-"],
  ] as const
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value)}`).join("\n")
}
