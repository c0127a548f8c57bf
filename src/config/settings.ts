import type { Rates } from "../core/cost.ts"
import { priceTable } from "./prices.ts"
import {
  age,
  duration,
  either,
  list,
  oneOf,
  orNothing,
  path,
  postgresAddress,
  size,
  text,
  type Unit,
  type ValueParser,
  webAddress,
  wholeNumber,
  word,
  yesOrNo,
} from "./value-parsers.ts"

/** One setting. Its place in the table below is its YAML path, and with it its variable and its property. */
export interface Setting<T, U extends Unit = Unit> {
  readonly kind: ValueParser<T, U>
  /** As one would write it in YAML; undefined: nothing. */
  readonly initial: string | number | boolean | undefined
  readonly doc: string
  /** Its value is never shown. */
  readonly secret: boolean
}

interface Notes {
  readonly secret?: boolean
}

const secret = { secret: true } as const

/** Every setting, once. */
export const SETTINGS = {
  server: {
    host: row(word, "127.0.0.1", "where to listen; in a container `0.0.0.0`"),
    port: row(wholeNumber(0, 65535), 7680, "the port; 0 takes a free one"),
    read_timeout: row(duration, "30s", "a request must have arrived whole"),
    write_timeout: row(
      duration,
      "120s",
      "the longest time a client may stop reading its answer; never ends a stream that flows",
    ),
    max_body_size: row(size, "100MB", "a larger request body is refused with 413"),
    workers: row(either(wholeNumber(1, 256), oneOf("auto")), 1, "processes that share the port; `auto`: one per core"),
    shutdown_timeout: row(duration, "30s", "how long running requests may finish after SIGTERM"),
  },
  storage: {
    driver: row(
      oneOf("auto", "postgres", "embedded"),
      "auto",
      "`postgres`, `embedded`, or `auto`: postgres if any `storage.postgres.*` is set, else embedded",
    ),
    data_dir: row(
      path,
      "~/.majordomo",
      "the embedded database, the journal, the last good price list, large bodies on their way",
    ),
    auto_migrate: row(yesOrNo, true, "`serve` applies the schema itself"),
    postgres: {
      host: row(word, "localhost", "host name, address, or directory of the Unix socket"),
      port: row(wholeNumber(1, 65535), 5432, "port"),
      user: optional(text, "user"),
      password: optional(text, "password", secret),
      database: row(word, "majordomo", "database"),
      sslmode: row(
        oneOf("disable", "prefer", "require", "verify-ca", "verify-full"),
        "prefer",
        "as in libpq: `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
      ),
      max_conns: row(wholeNumber(2, 1000), 20, "connections that the gateway may hold"),
      url: optional(
        orNothing(postgresAddress),
        "a connection string instead of the parts; `DATABASE_URL` is read too",
        secret,
      ),
    },
  },
  upstream: {
    connect_timeout: row(duration, "10s", "towards the provider: until connected"),
    first_byte_timeout: row(duration, "10m", "until the head of the answer"),
    idle_timeout: row(duration, "5m", "between two pieces of the answer"),
    max_connections: row(wholeNumber(1, 65535), 256, "sockets per provider and process"),
    max_connection_age: row(
      duration,
      "5m",
      "then requests take new sockets, which look the provider's address up anew; running answers finish on the old ones, beside `max_connections` new ones",
    ),
  },
  logging: {
    body_storage: row(oneOf("none", "postgres", "s3"), "none", "where bodies are kept: `none`, `postgres`, `s3`"),
    store_request_body: row(yesOrNo, true, "keep request bodies, when storage is not `none`"),
    store_response_body: row(yesOrNo, true, "keep response bodies, when storage is not `none`"),
    max_body_size: row(size, 65536, "bytes kept per body in Postgres; a cut is marked"),
    redact: row(
      list,
      "[]",
      "what is replaced before bodies are stored: JSON paths such as `$.messages[*].content`, and `header:NAME`",
    ),
    inject_stream_usage: row(yesOrNo, true, "ask OpenAI streams for their usage, and take the added fields out again"),
    retention: row(age, "keep", "how long requests are kept, such as `90d`; `keep`: for ever. Totals of reports stay"),
  },
  s3: {
    enabled: row(yesOrNo, false, "keep bodies in S3, as `logging.body_storage: s3` does"),
    bucket: optional(text, "bucket"),
    region: row(text, "us-east-1", "region"),
    endpoint: optional(orNothing(webAddress), "for MinIO, R2, LocalStack: path style"),
    access_key_id: optional(text, "without keys: the AWS default credential chain", secret),
    secret_access_key: optional(text, "secret key", secret),
  },
  pricing: {
    remote_url: row(
      orEmpty(webAddress),
      "https://www.llm-prices.com/current-v1.json",
      "the price list that is fetched; empty: never",
    ),
    refresh_interval: row(duration, "1h", "how often"),
    fallback_file: optional(orNothing(path), "your own price file"),
    aliases_file: optional(orNothing(path), "your own file of model aliases"),
    overrides: row(priceTable, "{}", "prices per model in USD per million tokens; win over all"),
  },
  ledger: {
    journal: row(yesOrNo, true, "write each row to a file on disk before its answer ends"),
    sync_interval: row(duration, "100ms", "how often the journal is synced: what a power cut can take"),
    max_journal_size: row(size, "1GiB", "how much may wait on disk while the database is gone"),
    when_full: row(
      oneOf("drop", "block"),
      "drop",
      "`drop` rows and count them, or `block`: refuse new requests with 503",
    ),
  },
  metadata: {
    max_keys: row(wholeNumber(0, 1000), 32, "`X-Majordomo-*` names kept per request"),
    max_value_length: row(wholeNumber(1, 65536), 1024, "characters kept of each value"),
  },
} as const

export interface ProviderSettings {
  /** http or https, without a trailing slash. */
  readonly baseUrl: string
  /** The name of the dialect that it speaks. */
  readonly format: string
  /** `free`: its calls cost nothing. */
  readonly prices?: "free"
}

/** All settings: camelCase, durations in `…Ms`, sizes in `…Bytes`, paths absolute. */
export type Settings = Values<typeof SETTINGS> & {
  readonly storage: {
    /** `isSet`: somebody set any `storage.postgres.*`, or `DATABASE_URL`. */
    readonly postgres: { readonly isSet: boolean }
  }
  /** The providers by name in lower case, the built-in ones included. */
  readonly providers: Readonly<Record<string, ProviderSettings>>
  readonly pricing: { readonly overrides: Readonly<Record<string, Rates>> }
}

type Values<T> = {
  readonly [K in keyof T & string as PropertyName<K, T[K]>]: T[K] extends Setting<infer V> ? V : Values<T[K]>
}
type PropertyName<K extends string, S> = S extends { readonly kind: { readonly unit: infer U extends Unit } }
  ? `${Camel<U extends "Bytes" ? (K extends `${infer Head}_size` ? Head : K) : K>}${U}`
  : Camel<K>
type Camel<K extends string> = K extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : K

/** The run-time twin of `PropertyName`. */
export function toPropertyName(key: string, unit: Unit): string {
  const stem = unit === "Bytes" ? key.replace(/_size$/, "") : key
  return stem.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) + unit
}

function row<T, U extends Unit>(
  kind: ValueParser<T, U>,
  initial: string | number | boolean,
  doc: string,
  notes: Notes = {},
): Setting<T, U> {
  return { kind, initial, doc, secret: notes.secret ?? false }
}

function optional<T, U extends Unit>(
  kind: ValueParser<T, U>,
  doc: string,
  notes: Notes = {},
): Setting<T | undefined, U> {
  return { kind, initial: undefined, doc, secret: notes.secret ?? false }
}

function orEmpty(kind: ValueParser<string, "">): ValueParser<string, ""> {
  return { ...kind, parse: (raw, dir) => (raw === "" ? "" : kind.parse(raw, dir)) }
}
