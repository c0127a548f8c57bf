/** The facts about each credential that the gateway holds for a provider. */
interface StoredCredential {
  /** The id of its row in `provider_api_keys`. */
  readonly id: string
  /** The name that its owner gave it: the row's `provider_api_key_alias`. */
  readonly alias: string
}

/** A credential of a provider from the vault, decrypted. It is never written anywhere but into the provider's request. */
export type ProviderCredential = StoredCredential &
  (
    | {
        /** A key or token that is sent as it is, in the first place of the dialect's `credentials`. */
        readonly kind: "key"
        readonly secret: string
      }
    | {
        /** An access key of AWS, with which the gateway signs each request (Signature Version 4). */
        readonly kind: "aws"
        readonly accessKeyId: string
        readonly secretAccessKey: string
        readonly sessionToken?: string | undefined
      }
    | {
        /** A service account of Google Cloud, for which the gateway gets an access token and renews it. */
        readonly kind: "google"
        readonly clientEmail: string
        /** PEM, PKCS#8. */
        readonly privateKey: string
        readonly privateKeyId?: string | undefined
        /** `https://oauth2.googleapis.com/token` */
        readonly tokenUri: string
      }
  )

/** A request as the provider would get it without a credential. */
export interface UnsignedRequest {
  readonly method: string
  /** The complete address, with the query. */
  readonly url: string
  /** Names and values, alternating. */
  readonly headers: readonly string[]
  /** The region in the settings of its provider, for an address that does not name it, such as that of a proxy. */
  readonly region?: string | undefined
  readonly body: {
    /** The number of its bytes. */
    readonly length: number
    /** Returns its bytes, in one piece or in several. It can be called more than once. */
    pieces(): AsyncIterable<Buffer> | Buffer
  }
}

/** Returns the secret part of a credential. Its hash names the credential in rows. */
export function secretOf(credential: ProviderCredential): string {
  switch (credential.kind) {
    case "key":
      return credential.secret
    case "aws":
      return credential.secretAccessKey
    case "google":
      return credential.privateKey
  }
}

/** Returns every secret text of a credential, to redact it. */
export function secretsOf(credential: ProviderCredential): string[] {
  const secret = secretOf(credential)
  return credential.kind === "aws" && credential.sessionToken ? [secret, credential.sessionToken] : [secret]
}

type Distribute<T> = T extends unknown ? Omit<T, "id" | "alias"> : never
/** A credential without its row. */
export type Secret = Distribute<ProviderCredential>

/** Returns the last four characters of what names a credential, so that people can tell credentials apart. */
export function toLastFour(secret: Secret): string {
  if (secret.kind === "aws") return secret.accessKeyId.slice(-4)
  if (secret.kind === "google") return secret.privateKeyId?.slice(-4) ?? ""
  // Four characters of a short secret would be a large part of it.
  return secret.secret.length < 16 ? "" : secret.secret.slice(-4)
}
