import type { Discount, OwnPrices } from "../core/own-prices.ts"
import type { Proxies } from "../kit/proxy/proxies.ts"
import { archivePlace } from "./archive-place.ts"
import { limitList } from "./limits.ts"
import { metricLabels } from "./metric-labels.ts"
import { channelTable } from "./notification-channels.ts"
import { ruleList, timeZone } from "./notification-rules.ts"
import { priceTable } from "./prices.ts"
import { keyAliases, tolerance } from "./reconcile.ts"
import { attributeTable, headerTable } from "./telemetry.ts"
import {
  age,
  duration,
  durationOrNever,
  either,
  list,
  oneOf,
  orNothing,
  path,
  postgresAddress,
  proxyAddress,
  size,
  text,
  type Unit,
  type ValueParser,
  webAddress,
  wholeNumber,
  word,
  yesOrNo,
} from "./value-parsers.ts"
import { vaultKey, vaultKeys } from "./vault-keys.ts"

/** One setting. Its position in the table below determines its YAML path, its variable and its property. */
export interface Setting<T, U extends Unit = Unit> {
  readonly parser: ValueParser<T, U>
  /** The default, as it is written in YAML. Undefined means that there is none. */
  readonly initial: string | number | boolean | undefined
  readonly doc: string
  /** True when the value must never be shown. */
  readonly secret: boolean
}

interface Notes {
  readonly secret?: boolean
}

const secret = { secret: true } as const

const KEYS =
  "aliases of the provider's API keys by their ids, such as `{ key_abc: team-a }`: the provider names only ids, and the gateway knows only aliases"

/** All settings. */
export const SETTINGS = {
  server: {
    host: row(word, "127.0.0.1", "address to listen on; use `0.0.0.0` in a container"),
    port: row(wholeNumber(0, 65535), 7680, "port to listen on; 0 chooses a free port"),
    read_timeout: row(
      duration,
      "30s",
      "maximum time until the headers of a request have arrived, and then between two pieces of its body",
    ),
    write_timeout: row(
      duration,
      "120s",
      "maximum time for which a client may stop reading its response; a stream that makes progress is never ended",
    ),
    max_body_size: row(size, "100MB", "maximum size of a request body; larger ones are rejected with 413"),
    allowed_hosts: row(
      list,
      "[]",
      "host names by which the gateway may be called, such as `gateway.example.com` or `*.example.com`, beside addresses and `localhost`; with an empty list all names are accepted, except for `/metrics` and `/readyz` of a gateway that listens on a loopback address",
    ),
    cors_origins: row(
      list,
      "[]",
      "origins of websites that may call the gateway from a browser, such as `https://app.example.com`; `*` allows all",
    ),
    models: row(
      oneOf("provider", "own"),
      "provider",
      "who answers requests for lists of models, such as `GET /v1/models`: the `provider`, or with `own` the gateway, which lists the models of that provider whose prices it knows; with provider keys, only where the client or the gateway has one",
    ),
    metrics_token: optional(
      text,
      "token that `/metrics` requires as `Authorization: Bearer TOKEN`; an admin token is accepted too, while the database answers",
      secret,
    ),
    max_connections: row(wholeNumber(1, 1_000_000), 10_000, "maximum number of client connections per process"),
    max_connections_per_address: row(
      wholeNumber(1, 1_000_000),
      5000,
      "maximum number of client connections from one address per process; behind a proxy, all have the proxy's address",
    ),
    workers: row(
      either(wholeNumber(1, 256), oneOf("auto")),
      1,
      "number of processes that share the port; `auto` starts one per CPU core",
    ),
    shutdown_timeout: row(duration, "30s", "maximum time for running requests to finish after SIGTERM"),
    not_ready_after: row(
      durationOrNever,
      "never",
      "how long rows may wait while none can be written (a lock, a full database disk) until `/readyz` responds with 503; with `never` it only warns, because requests need no written row",
    ),
    max_key_age: row(
      duration,
      "12h",
      "how long a known key is accepted while the database cannot be reached; a key that is revoked meanwhile works as long, and after it requests get 503 until the database is back",
    ),
    limits_when_unavailable: row(
      oneOf("allow", "block"),
      "allow",
      "what happens under `limits` when the database is away and the amounts that this gateway has reserved are used up: `allow` serves the request, `block` rejects it with 503",
    ),
    create_first_key: row(
      yesOrNo,
      true,
      "whether `serve` creates a key when there is none and prints it once; the container image and `service install` set `false`, because their logs are stored",
    ),
  },
  admin: {
    enabled: row(
      yesOrNo,
      true,
      "whether the gateway serves the admin API (`/api/v1`) and the dashboard (`/dashboard`)",
    ),
    token: optional(
      orNothing(text),
      "a token with the role `admin` for the admin API, beside those of `tokens create`, of at least 16 characters; `ADMIN_TOKEN`, the variable of the Go gateway, is read too",
      secret,
    ),
    host: optional(orNothing(word), "address of the admin listener, if `admin.port` is set; default: `server.host`"),
    port: optional(
      wholeNumber(1, 65535),
      "port of a listener of its own for the admin API and the dashboard, so that the proxy can be public and they are not; default: they are on the gateway's port",
    ),
    hosts: row(
      list,
      "[]",
      "host names by which the admin API and the dashboard may be called, such as `gateway.example.com`, beside addresses, `localhost` and `server.allowed_hosts`; another name is rejected, because a website could have made it up (DNS rebinding)",
    ),
    url: optional(
      orNothing(webAddress),
      "address at which people open the dashboard, such as `https://gateway.example.com`; the redirect URI of OpenID Connect begins with it. Default: the origin of the request",
    ),
    oidc: {
      issuer: optional(
        orNothing(word),
        "OpenID Connect provider for signing in to the dashboard, such as `https://accounts.google.com`",
      ),
      client_id: optional(orNothing(word), "client id that the provider has given to the gateway"),
      client_secret: optional(orNothing(text), "client secret of the provider", secret),
      allowed_domains: row(
        list,
        "[]",
        "domains of the e-mail addresses that may sign in, such as `example.com`; the provider must have verified the address. With an empty list, `admin.oidc.role_claim` decides alone",
      ),
      role_claim: optional(
        orNothing(word),
        "claim with the role: `viewer`, `auditor` or `admin`, or a list with one of them",
      ),
      default_role: optional(
        oneOf("viewer", "auditor", "admin"),
        "role of people without such a claim, which needs `admin.oidc.allowed_domains`; default: they may not sign in",
      ),
    },
  },
  vault: {
    key: optional(
      orNothing(vaultKey),
      "the key that encrypts provider keys in the database: 32 bytes in base64, as `vault init` makes them; default: the first one in `vault.key_file`",
      secret,
    ),
    key_file: optional(
      orNothing(path),
      "file with such keys, one in each line, that other users cannot read: the first one encrypts, and all of them decrypt; default: `vault.key` in `storage.data_dir`",
    ),
    previous_keys: row(
      vaultKeys,
      "[]",
      "further keys that decrypt, until `vault rotate` has encrypted everything with `vault.key`",
      secret,
    ),
  },
  metrics: {
    public: row(
      yesOrNo,
      false,
      "whether `/metrics`, which says what was spent and by whom, needs no token although the gateway listens on more than a loopback address; else it needs an admin token, or `server.metrics_token`",
    ),
  },
  telemetry: {
    labels: row(
      metricLabels,
      "[]",
      "metadata names whose values become labels of the metrics of requests, such as `[Team, Feature]`: [metrics](metrics.md)",
    ),
    max_series: row(
      wholeNumber(10, 100_000),
      2000,
      "maximum number of sets of labels (provider, model, key and `telemetry.labels`) that metrics of requests have, per process; a tenth of them is the maximum number of values of one label. Requests beyond it are counted as `(other)`",
    ),
    otlp: {
      endpoint: optional(
        orNothing(webAddress),
        "address of an OpenTelemetry receiver (OTLP over HTTP), such as `http://localhost:4318`, to which spans and metrics of requests are sent: [telemetry](telemetry.md). `OTEL_EXPORTER_OTLP_ENDPOINT` is read too. Default: nothing is sent",
      ),
      headers: row(
        headerTable,
        "{}",
        "headers that the receiver needs, such as `{ x-api-key: … }`, or `NAME=VALUE,…` as in `OTEL_EXPORTER_OTLP_HEADERS`, which is read too",
        secret,
      ),
      protocol: row(
        oneOf("http/protobuf", "http/json"),
        "http/protobuf",
        "form of what is sent; `OTEL_EXPORTER_OTLP_PROTOCOL` is read too",
      ),
      traces: row(
        yesOrNo,
        true,
        "whether a span is sent for each request, by the GenAI conventions; never with content",
      ),
      metrics: row(yesOrNo, true, "whether metrics of tokens, durations and costs are sent"),
      metric_interval: row(duration, "60s", "how often metrics are sent"),
      metadata: row(list, "[]", "metadata names whose values spans have, such as `[User-Id, Feature]`"),
      resource: row(
        attributeTable,
        "{}",
        "attributes of the resource, such as `{ deployment.environment.name: production }`; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are read too",
      ),
    },
    receiver: {
      enabled: row(
        yesOrNo,
        false,
        "whether the gateway receives OTLP at `/v1/logs`, so that Claude Code and Codex report the usage that does not pass through it: [telemetry](telemetry.md)",
      ),
      max_body_size: row(size, "8MiB", "maximum size of a request to the receiver, after decompression"),
    },
  },
  storage: {
    driver: row(
      oneOf("auto", "postgres", "embedded"),
      "auto",
      "`postgres`, `embedded`, or `auto`, which uses `postgres` if any `storage.postgres.*` is set, else `embedded`",
    ),
    data_dir: row(
      path,
      "~/.majordomo",
      "directory for the embedded database, the journal, the cached price lists, and large request bodies",
    ),
    auto_migrate: row(yesOrNo, true, "whether `serve` creates and updates the schema"),
    wait: row(
      duration,
      "60s",
      "how long `serve` waits at its start for a PostgreSQL that cannot be reached yet; meanwhile `/health` responds with 200 and `/readyz` with 503",
    ),
    postgres: {
      host: row(word, "localhost", "host name, IP address, or directory of the Unix socket"),
      port: row(wholeNumber(1, 65535), 5432, "port of the server"),
      user: optional(text, "user name"),
      password: optional(text, "password", secret),
      database: row(word, "majordomo", "name of the database"),
      sslmode: row(
        oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
        "prefer",
        "as in libpq: `disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`",
      ),
      schema: optional(
        orNothing(word),
        "schema of the gateway's tables, which `migrate` and `serve` create; default: the one in which the search path finds them, usually `public`",
      ),
      max_conns: row(wholeNumber(2, 1000), 20, "maximum number of connections per process"),
      url: optional(
        orNothing(postgresAddress),
        "connection string, in place of the settings above; `DATABASE_URL` is read too",
        secret,
      ),
      read_url: optional(
        orNothing(postgresAddress),
        "connection string of a streaming standby of this database, from which reports and lists are read while it is usable; what it does not say is taken from the settings above",
        secret,
      ),
      read_max_lag: row(
        duration,
        "10s",
        "how far the standby of `read_url` may be behind; if it is further behind, reports are read from the primary",
      ),
    },
  },
  upstream: {
    connect_timeout: row(duration, "10s", "maximum time to connect to a provider"),
    first_byte_timeout: row(duration, "10m", "maximum time until a provider's response headers arrive"),
    idle_timeout: row(duration, "5m", "maximum time between two pieces of a provider's response"),
    max_connections: row(
      wholeNumber(1, 65535),
      256,
      "maximum number of connections per provider, process and key; all keys together may have a quarter more, so that no key can occupy all of them",
    ),
    queue_timeout: row(
      duration,
      "30s",
      "maximum time for which a request waits for a free connection; then it gets 503",
    ),
    max_connection_age: row(
      duration,
      "5m",
      "age after which new requests use new connections, so that a changed DNS entry takes effect; running responses finish on the old connections",
    ),
    proxy: row(
      either(oneOf("environment", "none"), proxyAddress),
      "environment",
      "proxy through which providers, price lists and S3 are reached: `environment` means `HTTPS_PROXY` and `HTTP_PROXY`, `none` means none, and an address such as `http://proxy:3128` is used for all. `NO_PROXY` and addresses of this machine are always exceptions",
      secret,
    ),
  },
  websockets: {
    enabled: row(
      yesOrNo,
      true,
      "whether WebSockets are relayed: [WebSockets](websockets.md). Without them, a client gets 426, and those that can use HTTP",
    ),
    idle_timeout: row(duration, "1h", "time without any message or ping after which an open WebSocket is closed"),
    max_age: row(duration, "24h", "age above which a WebSocket is closed as soon as none of its responses is running"),
    max_open: row(
      wholeNumber(1, 1_000_000),
      10_000,
      "maximum number of open WebSockets per process; further ones are rejected with 503",
    ),
  },
  logging: {
    body_storage: row(oneOf("none", "postgres", "s3"), "none", "where bodies are stored: `none`, `postgres` or `s3`"),
    store_request_body: row(yesOrNo, true, "whether to store request bodies, if `logging.body_storage` is not `none`"),
    store_response_body: row(
      yesOrNo,
      true,
      "whether to store response bodies, if `logging.body_storage` is not `none`",
    ),
    client_opt_out: row(
      yesOrNo,
      true,
      "whether `X-Majordomo-Store-Bodies: false` keeps the bodies of a request from being stored; `false` makes the policy binding for all clients",
    ),
    max_body_size: row(size, 65536, "maximum bytes stored per body in PostgreSQL; a truncated body is marked"),
    redact: row(
      list,
      "[]",
      "what to redact before bodies are stored: JSON paths such as `$.messages[*].content`, and `header:NAME`",
    ),
    inject_stream_usage: row(
      yesOrNo,
      true,
      "whether to request the usage of OpenAI streams; the added fields are removed from the response",
    ),
    retention: row(
      age,
      "keep",
      "how long requests are kept, such as `90d`; `keep` means forever. Totals of reports are always kept",
    ),
  },
  metering: {
    rewrite_result_urls: row(
      either(yesOrNo, webAddress),
      true,
      "whether the `results_url` of Anthropic's batches becomes the gateway's address, so that the download is metered: `true` for `http://` and the `Host` of the request, or the address under which clients reach the gateway",
    ),
    foreign_jobs: row(
      yesOrNo,
      false,
      "whether to bill background responses and batches that were not created through a gateway, to the key that fetches them",
    ),
  },
  s3: {
    enabled: row(yesOrNo, false, "whether to store bodies in S3; the same as `logging.body_storage: s3`"),
    bucket: optional(text, "name of the bucket"),
    region: row(text, "us-east-1", "region of the bucket"),
    endpoint: optional(
      orNothing(webAddress),
      "URL of an S3-compatible service such as MinIO, R2 or LocalStack; uses path-style requests",
    ),
    access_key_id: optional(text, "access key; without keys, the AWS default credential chain is used", secret),
    secret_access_key: optional(text, "secret access key", secret),
  },
  archive: {
    to: optional(
      orNothing(archivePlace),
      "where finished days are written as Parquet files: a directory, or `s3://BUCKET/PREFIX` with the region, the endpoint and the keys of `s3`. See [archive](archive.md)",
    ),
    daily: row(yesOrNo, true, "whether the gateway writes finished days by itself, if `archive.to` is set"),
    settle: row(
      duration,
      "2h",
      "how long after its end (UTC) a day is finished; requests that are stored later are written to extra files",
    ),
    before_prune: row(
      yesOrNo,
      false,
      "whether `logging.retention` and `prune` keep requests until their day is verified in the archive",
    ),
    bodies: row(yesOrNo, false, "whether the archive has the bodies that are stored in the database"),
  },
  pricing: {
    remote_url: row(
      orEmpty(webAddress),
      "https://www.llm-prices.com/current-v1.json",
      "URL of the price list of llm-prices.com, or of its history; empty disables the download",
    ),
    catalog_url: row(
      orEmpty(webAddress),
      "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json",
      "URL of the data of genai-prices; empty disables the download, and so does an empty `pricing.remote_url` unless this is set",
    ),
    litellm_url: row(
      orEmpty(webAddress),
      "",
      "URL of LiteLLM's map of prices, for rates that no other list has; empty disables the download",
    ),
    refresh_interval: row(duration, "1h", "how often the price lists are downloaded"),
    fallback_file: optional(
      orNothing(path),
      "path of your own price file, JSON or YAML; LiteLLM's price map and the files of llm-prices.com can be used as they are",
    ),
    aliases_file: optional(orNothing(path), "path of your own file of model aliases"),
    overrides: row(
      priceTable,
      "{}",
      "prices by model in USD per million tokens, with `tiers`, `from` and `to` where needed; they take precedence over all other prices",
    ),
  },
  ledger: {
    journal: row(yesOrNo, true, "whether to write each row to disk before its response ends"),
    sync_interval: row(
      duration,
      "100ms",
      "how often the journal is synced to disk; a power failure can lose this much",
    ),
    max_journal_size: row(
      size,
      "1GiB",
      "maximum size of what waits in `storage.data_dir`, all processes together: rows while the database is unavailable, and bodies for S3, which get half of it if they are stored there",
    ),
    when_full: row(
      oneOf("drop", "block"),
      "drop",
      "what happens when the journal is full: `drop` drops rows and counts them, `block` rejects new requests with 503",
    ),
  },
  metadata: {
    max_keys: row(wholeNumber(0, 1000), 32, "maximum number of `X-Majordomo-*` headers stored per request"),
    max_value_length: row(wholeNumber(1, 65536), 1024, "maximum characters stored of each value"),
    client: row(yesOrNo, true, "whether to store which program sent a request, as `Client`"),
    user: row(yesOrNo, true, "whether to store the user that the request itself names, as `User-Id`"),
    session: row(yesOrNo, true, "whether to store the session that the request itself names, as `Session-Id`"),
    trace: row(yesOrNo, true, "whether to store `Trace-Id` and spans from the headers `traceparent` and `baggage`"),
  },
  reconcile: {
    openai: {
      admin_key: optional(
        orNothing(word),
        "admin key of the organization (`sk-admin-…`), with which `reconcile` reads what OpenAI bills; `OPENAI_ADMIN_KEY` is read too",
        secret,
      ),
      projects: row(list, "[]", "ids of the projects that use the gateway, such as `proj_abc`; default: all"),
      keys: row(keyAliases, "{}", KEYS),
      base_url: optional(orNothing(webAddress), "address of the API; default: `https://api.openai.com`"),
    },
    anthropic: {
      admin_key: optional(
        orNothing(word),
        "admin key of the organization (`sk-ant-admin…`), with which `reconcile` reads what Anthropic bills; `ANTHROPIC_ADMIN_KEY` is read too",
        secret,
      ),
      workspaces: row(list, "[]", "ids of the workspaces that use the gateway, such as `wrkspc_abc`; default: all"),
      keys: row(keyAliases, "{}", KEYS),
      base_url: optional(orNothing(webAddress), "address of the API; default: `https://api.anthropic.com`"),
    },
    openrouter: {
      provisioning_key: optional(
        orNothing(word),
        "provisioning key, with which `reconcile` reads what OpenRouter bills; `OPENROUTER_PROVISIONING_KEY` is read too",
        secret,
      ),
      keys: row(keyAliases, "{}", KEYS),
      base_url: optional(orNothing(webAddress), "address of the API; default: `https://openrouter.ai`"),
    },
    settle: row(
      duration,
      "6h",
      "how long after the end of a day (UTC) the provider may still add to its bill; until then its difference never alarms",
    ),
    alert_above: row(
      tolerance,
      "1% or $1",
      "the difference that is tolerated: a part of what was billed, an amount, or the larger of both. Above it, `reconcile` ends with exit code 3, and `serve` logs a warning",
    ),
    daily: row(
      yesOrNo,
      true,
      "whether `serve` compares the bill once a day, for each provider whose credential is set here: [reconcile](reconcile.md)",
    ),
  },
  notifications: {
    channels: row(
      channelTable,
      "{}",
      "where notifications go, by name, such as `{ ops: { type: slack, url: … } }`: [notifications](notifications.md). A field can be a variable of its own, such as `MAJORDOMO_NOTIFICATIONS_CHANNELS_OPS_URL`",
      secret,
    ),
    rules: optional(
      ruleList,
      "which notifications go to which channels, such as `[{ when: limit, to: ops }]`; default: all but the digest, to all channels",
    ),
    timezone: row(timeZone, "UTC", "time zone of the digests, and of the days whose spend is compared"),
  },
  limits: optional(
    limitList,
    "budgets and rate limits, a list of objects such as `{ name: search, measure: cost, amount: 50, window: month }`: [limits](limits.md). They are read-only elsewhere; without the setting, limits are only in the database",
  ),
} as const

export interface ProviderSettings {
  /** http or https, without a trailing slash. */
  readonly baseUrl: string
  /** The name of the dialect that its API implements. */
  readonly format: string
  /** The provider whose prices hold, if the operator says it. */
  readonly like?: string
  /** The region of a cloud. */
  readonly region?: string
  /** The base URLs of regions, for a cloud whose paths name the region. */
  readonly regions?: Readonly<Record<string, string>>
  /** The models behind names that are not a model's, such as deployments. The names are in lower case. */
  readonly models?: Readonly<Record<string, string>>
  /** `free` means that requests to it cost nothing. */
  readonly prices?: "free"
  /** The discounts that the provider gives on its list prices, by period. */
  readonly discount?: readonly Discount[]
  /** Who pays for its tokens; without it, the logins of subscriptions are recognized. */
  readonly billing?: "api" | "subscription"
}

/** All settings in camelCase. Durations end in `Ms`, sizes in `Bytes`, and paths are absolute. */
export type Settings = Values<typeof SETTINGS> & {
  readonly storage: {
    /** `isSet` is true when any `storage.postgres.*`, or `DATABASE_URL`, is set. */
    readonly postgres: { readonly isSet: boolean }
  }
  /** The providers by lower-case name, including the built-in ones. */
  readonly providers: Readonly<Record<string, ProviderSettings>>
  readonly pricing: { readonly overrides: OwnPrices; readonly proxies: Proxies | undefined }
  /** The proxies of `upstream.proxy` and the environment; undefined if there are none. */
  readonly upstream: { readonly proxies: Proxies | undefined }
  readonly s3: { readonly proxies: Proxies | undefined }
  readonly telemetry: { readonly proxies: Proxies | undefined }
}

type Values<T> = {
  readonly [K in keyof T & string as PropertyName<K, T[K]>]: T[K] extends Setting<infer V> ? V : Values<T[K]>
}
type PropertyName<K extends string, S> = S extends { readonly parser: { readonly unit: infer U extends Unit } }
  ? `${Camel<U extends "Bytes" ? (K extends `${infer Head}_size` ? Head : K) : K>}${U}`
  : Camel<K>
type Camel<K extends string> = K extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : K

/** Converts a key to its property name. This is the runtime version of the type `PropertyName`. */
export function toPropertyName(key: string, unit: Unit): string {
  const stem = unit === "Bytes" ? key.replace(/_size$/, "") : key
  return stem.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) + unit
}

function row<T, U extends Unit>(
  parser: ValueParser<T, U>,
  initial: string | number | boolean,
  doc: string,
  notes: Notes = {},
): Setting<T, U> {
  return { parser, initial, doc, secret: notes.secret ?? false }
}

function optional<T, U extends Unit>(
  parser: ValueParser<T, U>,
  doc: string,
  notes: Notes = {},
): Setting<T | undefined, U> {
  return { parser, initial: undefined, doc, secret: notes.secret ?? false }
}

function orEmpty(parser: ValueParser<string, "">): ValueParser<string, ""> {
  return { ...parser, parse: (raw, dir) => (raw === "" ? "" : parser.parse(raw, dir)) }
}
