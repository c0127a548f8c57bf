import { createPrivateKey } from "node:crypto"
import { CommandError } from "../core/errors.ts"
import { GATEWAY_KEY_PREFIX } from "../core/key.ts"
import type { ProviderCredential, Secret } from "../core/provider-credential.ts"

/** The kinds of credentials. */
export type Kind = ProviderCredential["kind"]

const MAX_LENGTH = 16 * 1024
const GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
/** An address of Google, or of an emulator on this machine. */
const TOKEN_URI = /^(?:https:\/\/[\w.-]+\.googleapis\.com|http:\/\/127\.0\.0\.1(?::\d+)?)\//

/**
 * Parses the secret of a provider, as a person gives it: a key; for AWS the id and the secret of an access key, in two lines
 * or as JSON; for Google the JSON of a service account.
 *
 * @throws CommandError that never contains the secret
 */
export function parseSecret(kind: Kind, text: string): Secret {
  const trimmed = text.trim()
  if (trimmed === "") throw new CommandError("the secret is empty: write it to stdin, or type it when you are asked")
  if (trimmed.length > MAX_LENGTH) throw new CommandError(`the secret is longer than ${MAX_LENGTH} characters`)
  if (trimmed.includes(GATEWAY_KEY_PREFIX)) {
    throw new CommandError("this is an API key of the gateway, not a key of a provider: copy the key from the provider")
  }
  return PARSERS[kind](trimmed)
}

const PARSERS: { readonly [K in Kind]: (text: string) => Secret } = {
  key(text) {
    if (isServiceAccount(parseObject(text))) {
      throw new CommandError("this is a service account of Google: add --kind google")
    }
    if (/^(?:AKIA|ASIA)[A-Z0-9]{12,}/.test(text)) throw new CommandError("this is an access key of AWS: add --kind aws")
    if (/^[\x21-\x7e]+$/.test(text)) return { kind: "key", secret: text }
    throw new CommandError("a provider key is one word of printable ASCII characters: copy it again, without spaces")
  },
  aws(text) {
    const { id, secret, token } = readAccessKey(text)
    if (!/^[A-Z0-9]{16,128}$/.test(id ?? "") || !/^[\x21-\x7e]{16,}$/.test(secret ?? "")) {
      throw new CommandError(
        'expected the id and the secret of an access key, in two lines or as {"AccessKeyId": …, "SecretAccessKey": …}',
      )
    }
    return { kind: "aws", accessKeyId: id!, secretAccessKey: secret!, ...(token && { sessionToken: token }) }
  },
  google(text) {
    const account = parseObject(text)
    if (!isServiceAccount(account)) {
      throw new CommandError('expected the JSON of a service account, with "type": "service_account"')
    }
    const { client_email: clientEmail, private_key: privateKey, private_key_id: privateKeyId } = account
    const tokenUri = account["token_uri"] ?? GOOGLE_TOKENS
    if (typeof clientEmail !== "string" || typeof privateKey !== "string" || !isPrivateKey(privateKey)) {
      throw new CommandError(
        "the JSON of the service account lacks client_email or a valid private_key: download it again",
      )
    }
    if (typeof tokenUri !== "string" || !TOKEN_URI.test(tokenUri)) {
      throw new CommandError(
        `the token_uri of the service account must be an address of Google, such as ${GOOGLE_TOKENS}`,
      )
    }
    const key = { kind: "google", clientEmail, privateKey, tokenUri } as const
    return typeof privateKeyId === "string" ? { ...key, privateKeyId } : key
  },
}

type JsonObject = Readonly<Record<string, unknown>>

function parseObject(text: string): JsonObject | undefined {
  if (!text.startsWith("{")) return undefined
  try {
    return JSON.parse(text) as JsonObject
  } catch {
    return undefined
  }
}

function isServiceAccount(value: JsonObject | undefined): value is JsonObject {
  return value?.["type"] === "service_account"
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa"
  } catch {
    return false
  }
}

interface AccessKey {
  readonly id?: string | undefined
  readonly secret?: string | undefined
  readonly token?: string | undefined
}

/** Reads an access key in the forms of AWS: JSON of its command line, a section of its credentials file, or plain lines. */
function readAccessKey(text: string): AccessKey {
  const object = parseObject(text)
  if (object !== undefined) {
    const nested = object["AccessKey"] ?? object["Credentials"]
    const source = (typeof nested === "object" && nested !== null ? nested : object) as JsonObject
    return toAccessKey(Object.entries(source).map(([name, value]) => [name, String(value)]))
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const pairs = lines.flatMap((line) => {
    const [, name, value] = /^(\w+)\s*=\s*(\S+)$/.exec(line) ?? []
    return name === undefined || !/^aws_/i.test(name) ? [] : [[name, value!] as const]
  })
  if (pairs.length > 0) return toAccessKey(pairs)
  const [id, secret, token] = lines.filter((line) => line !== "")
  return { id, secret, token }
}

function toAccessKey(pairs: readonly (readonly [name: string, value: string])[]): AccessKey {
  const values = new Map(
    pairs.map(([name, value]) => [
      name
        .toLowerCase()
        .replace(/^aws_?/, "")
        .replaceAll("_", ""),
      value,
    ]),
  )
  return { id: values.get("accesskeyid"), secret: values.get("secretaccesskey"), token: values.get("sessiontoken") }
}
