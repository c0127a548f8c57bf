/** The faults by which someone could get in, stop the gateway or be misled by it (S). */
export const SECURITY_FAULTS = {
  S1: {
    "50,000 requests that one connection pipelines without a key take no memory": [
      "matrix/bounds.test.ts: [BND-01] a connection that pipelines 50,000 requests without a key is answered, and memory stays flat",
    ],
    "connections are limited, in all and per address": [
      "matrix/refusals.test.ts: [LIM-08] connections beyond the limits get 503, and are counted",
    ],
    "a client that never reads what it is answered is disconnected, also without a key": [
      "matrix/refusals.test.ts: [BND-07] a client without a key that never reads its answers is disconnected after server.write_timeout",
    ],
  },
  S2: {
    "a header never finds a provider": [
      "gateway/credentials.test.ts: [S2] %s gives 404 and reaches no provider, whatever headers it has: %s",
      "gateway/credentials.test.ts: on %s, %s means %s",
    ],
    "a credential of another provider is rejected, and nothing is sent": [
      "gateway/credentials.test.ts: %s %s with %s is rejected with a reason, and nothing is sent",
    ],
  },
  S3: {
    "lines, tiny events and deep JSON in answers never stop the event loop": [
      "matrix/bounds.test.ts: [BND-03] no answer stops the event loop for 50 ms, and no answer takes many times its size",
      "providers/stream-usage.test.ts: passes many tiny events on in one slice: %j",
    ],
    "the search for credentials takes time that grows with the length only": [
      "core/secrets.test.ts: 64 KiB of whatever parts a credential can have are searched in time that grows with the length only",
    ],
  },
  S4: {
    "a body of 1 MB in chunks of one byte takes little more than its size": [
      "matrix/bounds.test.ts: [BND-03] a body of 1 MB in chunks of one byte is forwarded, and takes little more than its size, however often it comes",
      "matrix/bounds.test.ts: 1 MB in chunks of one byte",
    ],
    "many bodies in chunks of one byte at once never stop the event loop, nor delay an ordinary request": [
      "matrix/bounds.test.ts: [BND-08] connections that send bodies in chunks of one byte at once do not stop the event loop for 50 ms",
      "matrix/bounds.test.ts: an ordinary request is answered before the body in chunks that came first",
    ],
  },
  S5: {
    "requests behind a rejected one are never forwarded, whatever the timing": [
      "matrix/refusals.test.ts: [BND-02] a request that is pipelined behind a rejected one is never forwarded",
      "matrix/refusals.test.ts: [BND-02] an expectation that the gateway does not know is rejected, and its connection closed",
    ],
    "requests behind one that was read to its end are answered in their order": [
      "matrix/refusals.test.ts: requests behind one whose short body was read are answered in their order",
    ],
  },
  S6: {
    "code in the working directory is executed only when it is named": [
      "config/load.test.ts: [S6] majordomo.%s is executed only when --config names it",
    ],
    "a `.env` of another program changes neither the database nor a provider, and a start says what it uses": [
      "config/load.test.ts: [S6] .env in the working directory sets only the gateway's own variables",
      "config/load.test.ts: [S6] a start says where settings come from, the database, and addresses of providers that are no default",
    ],
  },
  S7: {
    "one key cannot occupy all connections to a provider": [
      "matrix/refusals.test.ts: [BND-04] one key cannot occupy all of them, and its further requests wait",
    ],
    "waiting ends with an error, is counted, and ends with its client": [
      "matrix/refusals.test.ts: [BND-05] a request that waits too long gets 503 with Retry-After, a row, and is counted",
      "matrix/refusals.test.ts: [BND-05] a client that leaves while it waits frees its place, and is never forwarded",
    ],
  },
  S8: {
    "a role that may only connect cannot forge the answer to a revocation": [
      "database/revocation.test.ts: cannot be acknowledged by a notification of a role that may only connect, and its garbage breaks nothing",
    ],
    "a body that ends after `keys revoke` is not forwarded": [
      "gateway/credentials.test.ts: [S8] a body that is complete only after its key was revoked is not forwarded",
    ],
    "a CONNECT takes no answer": [
      "matrix/framing.test.ts: [FRM-16] [S8] a CONNECT that is pipelined behind a request is answered after it, and takes nothing of its answer",
    ],
    "another user cannot hold the lock": [
      "kit/lock.test.ts: another user can neither hold the lock of a directory nor disturb its owner",
    ],
  },
  S9: {
    "a parameter of a database URL that has no effect is rejected": [
      "database/connection.test.ts: [S9] a parameter of the URL that has no effect is rejected by its name",
    ],
    "`channel_binding=require` is obeyed": [
      "database/connection.test.ts: [S9] channel_binding=require accepts only a server that is bound to its TLS connection",
    ],
    "`sslrootcert=system` means verify-full, and the modes are those of libpq": [
      "database/connection.test.ts: [S9] sslrootcert=system means verify-full, and rejects a weaker sslmode",
      "database/connection.test.ts: [S9] require with an authority checks the authority, as libpq does",
      "database/connection.test.ts: [S9] allow uses TLS only if the server wants it",
    ],
  },
  S10: {
    "no path leaves the prefix of a base URL": [
      "gateway/credentials.test.ts: [S10] %s is rejected with 400, also for a named provider",
    ],
    "a provider gets its own credential only, and neither cookies nor addresses of clients": [
      "gateway/credentials.test.ts: the credentials of other providers, cookies, what proxies wrote about the client, and gateway keys",
    ],
    "a gateway key in the query is withheld, also if it is encoded": [
      "gateway/credentials.test.ts: %s with it is not forwarded",
    ],
  },
  S11: {
    "invented names of models make few sums": [
      "gateway/model-names.test.ts: [S11] invented names of models make at most a hundred sums a day, and hide no model that answers",
    ],
    "a client cannot leave the body policy of an operator": [
      "bodies/read.test.ts: [S11] with clientOptOut off, a client cannot leave the policy of the operator",
    ],
    "`/metrics` can need a token, and `/readyz` names no host and no user": [
      "server/access.test.ts: [S11] /metrics with server.metrics_token",
      "server/readiness.test.ts: an error of the database is shown by its code, because its message can name hosts and users",
    ],
    "the Host is checked": ["server/access.test.ts: [S11] the Host of a request"],
  },
  S12: {
    "the role of the gateway can only read and write rows": [
      "deploy/roles.test.ts: the gateway's role may not: %s",
      "deploy/roles.test.ts: the owner migrates, and then the gateway serves and every command works as the lesser role",
      "deploy/files.test.ts: the gateway has neither the superuser's nor the owner's password, and does not migrate",
    ],
    "containers have the least privilege, images are pinned, and a policy limits the network": [
      "deploy/files.test.ts: every service has a read-only root, no capability that it does not need, and an image that a variable pins",
      "deploy/files.test.ts: only the Job has the owner's secret, and both run with the least privilege",
      "deploy/files.test.ts: the policy admits labeled namespaces only, and forbids the metadata service of a cloud",
    ],
    "no key is in the log of a container": [
      "deploy/files.test.ts: prints no key, has no package manager, and names its base image by a variable",
    ],
  },
  S13: {
    "no output can change the direction of writing or control a terminal": [
      "cli/tables.test.ts: [S13] escapes what would change the direction of writing or control a terminal, and says the same",
    ],
    "`--by __proto__` is a name like any other": [
      "cli/tables.test.ts: [S13] a metadata name such as __proto__ is a field like any other",
    ],
    "credentials of all known shapes are redacted in errors": [
      "core/secrets.test.ts: %s is redacted in text, and is a secret value",
      "core/secrets.test.ts: the user name and the password of a URL are redacted, and its host is not",
    ],
    "a body that is not read holds its connection for seconds": [
      "matrix/refusals.test.ts: [BND-07] the unread body of a rejected request holds its connection for seconds, not for the keep-alive time",
      "server/access.test.ts: [S13] a request with a body that nobody reads does not hold its connection",
    ],
  },
}
