/** The faults of operating the gateway (O), and the uses of it that misled (U). */
export const OPERATING_FAULTS = {
  O1: {
    "a signal that reaches several processes, or one several times, is one wish: all running streams finish": [
      "e2e/signals.test.ts: all of … running streams finish and have their rows after %s",
    ],
    "a second wish ends all processes at once": [
      "e2e/signals.test.ts: [O1] with %i workers, a signal that is repeated after a while ends all processes at once",
      "e2e/endings.test.ts: a second signal ends the process immediately with 1; the running request has its row at the next start",
    ],
    "the unit signals the first process alone (`KillMode=mixed`)": [
      "operations/service.test.ts: signals the first process alone, never gives up, and waits longer than the gateway does",
    ],
  },
  O2: {
    "root leaves no file in the directory of another user": [
      "e2e/data-directory.test.ts: root joins the gateway of another user, and leaves that user's files alone when it does not run",
    ],
    "a file that root left is named": ["e2e/data-directory.test.ts: a part of it that root made by mistake is named"],
  },
  O3: {
    "a directory without permission is explained, with both databases and by doctor": [
      "e2e/data-directory.test.ts: a user without access is told whose it is, by every command and at once",
      "e2e/surroundings.test.ts: a user who may not create the data directory is told how to create it",
    ],
    "a read-only file system is named": [
      "e2e/data-directory.test.ts: a read-only file system is named as such, with both databases",
    ],
    "a full disk is named": [
      "e2e/full-disk-start.test.ts: [L1] an embedded database that cannot start on a full disk says so in one line, and starts when there is room",
    ],
    "a user without an entry and without a home can run the gateway": [
      "e2e/surroundings.test.ts: has `/` as its home directory, and is told what to set",
      "e2e/surroundings.test.ts: runs the gateway on a directory of its own",
    ],
    "a deleted working directory is named": ["e2e/surroundings.test.ts: `%s` in a directory that was deleted says so"],
  },
  O4: {
    "`serve` waits for its database with a log line": [
      "e2e/late-services.test.ts: [O4] with %i processes, serve waits for a PostgreSQL that starts later, says so, and is live but not ready meanwhile",
      "e2e/late-services.test.ts: [O4] serve gives up after storage.wait, with the reason",
    ],
    "the unit never gives up, and systemd accepts it": [
      "operations/service.test.ts: signals the first process alone, never gives up, and waits longer than the gateway does",
      "operations/service.test.ts: is accepted by systemd-analyze verify: %s",
    ],
    "the files for settings and secrets are created": [
      "operations/service.test.ts: [O4] install writes the unit, creates files for settings and secrets, and leaves existing ones alone",
    ],
    "the service can read its program and its settings": [
      "operations/service.test.ts: [O4] a program or a settings file that the service's own user could not read is not installed",
      "operations/service.test.ts: [O4] a copy that npx has fetched is not installed as a service",
    ],
  },
  O5: {
    "the release has what `npm publish --provenance` needs": [
      "matrix/supply.test.ts: [SUP-02] publish with provenance under the workflow's own identity, without a stored token",
    ],
  },
  O6: {
    "counters and the last log line never go backwards": [
      "e2e/workers.test.ts: [O6] counters and the last log line never go backwards when a worker dies or does not answer",
    ],
  },
  O7: {
    "a worker that dies leaves no connection unread, and `/readyz` is 200 only when all workers are up": [
      "e2e/workers.test.ts: [O7] a worker that dies leaves no connection unread, and /readyz is 200 only when all workers are up",
    ],
    "a worker that replaces another one has the same settings": [
      "e2e/surroundings.test.ts: also if its settings file was broken since",
      "e2e/surroundings.test.ts: also if its working directory was deleted since",
    ],
  },
  O8: {
    "stopping does not wait for S3, because the bodies are on the disk": [
      "bodies/s3-hangs.test.ts: [O8] delays a stop by some seconds at most: the bodies are safe on the disk, and a log line says that they wait",
      "bodies/s3-hangs.test.ts: [O8] delays a stop by no more than the time that is left to it",
      "e2e/late-services.test.ts: [O8] stopping does not wait for an S3 that is away: the bodies are on the disk, and the log says so",
      "e2e/bodies.test.ts: bodies that wait while S3 is down survive kill -9, and the next start uploads them",
    ],
  },
  O9: {
    "SIGHUP drains, as SIGTERM does": [
      "e2e/signals.test.ts: all of … running streams finish and have their rows after %s",
      "e2e/signals.test.ts: SIGHUP of a terminal that is closed",
    ],
    "other signals of log rotation change nothing": [
      "e2e/surroundings.test.ts: with %i processes, a signal by which log rotation asks other programs to open their log again changes nothing",
    ],
  },
  O10: {
    "`ledger.max_journal_size` is one limit of the directory": [
      "server/budget.test.ts: [O10] ledger.max_journal_size is one limit for %i processes, with bodies for S3: %s",
    ],
  },
  O11: {
    "a worker that dies while PostgreSQL is away returns, and the log has only JSON lines": [
      "e2e/worker-outage.test.ts: [O11] a worker that dies while PostgreSQL is away waits for it, the others serve, and the log has only JSON lines",
    ],
    "a log that cannot be written stops no gateway": [
      "e2e/surroundings.test.ts: with %i processes, a log whose reader has left stops no gateway",
      "e2e/surroundings.test.ts: a log on a full disk stops no gateway",
    ],
  },
  O12: {
    "a full disk of spill files is said as such": [
      "gateway/large-bodies.test.ts: [O12] beyond the memory budget it costs the request, full after %i writes",
    ],
    "reprice beside prune counts what it changed": [
      "operations/reprice.test.ts: [O12] a request that is pruned or changed while it is repriced is not counted as changed",
    ],
    "prune leaves no repricings of requests that are gone": [
      "operations/reprice.test.ts: [O12] prune deletes the repricings of the requests that it deletes, and those that earlier prunes left",
    ],
    "reports say how many rows wait in a journal": [
      "e2e/pending-rows.test.ts: [O12] reports after a kill say how many rows wait in the journal",
    ],
    "a build is reproducible": ["embedded/seed.test.ts: [O12] each build makes the same cluster, byte for byte"],
    "an empty secret of S3 stops MinIO": [
      "deploy/files.test.ts: [O12] MinIO does not start with an empty or short secret",
    ],
    "the nightly run is not canceled": [
      "matrix/supply.test.ts: [SUP-09] have the least privileges, use only GitHub's own actions, and audit each release",
    ],
  },
  U1: {
    "a WebSocket gets 426": [
      "matrix/refusals.test.ts: [FRM-15] a WebSocket gets 426 in the form of %s, without Upgrade, and is not forwarded",
    ],
  },
  U2: {
    "a command says which database the running gateway uses": [
      "e2e/data-directory.test.ts: a command with other settings than the running gateway names the gateway's database",
    ],
    "commands and a service of the same user read the same settings": [
      "e2e/surroundings.test.ts: the commands of a user read the settings of this user's service, unless the working directory has some",
    ],
    "a read creates no database": [
      "e2e/data-directory.test.ts: `%s` says so and creates nothing",
      "e2e/data-directory.test.ts: doctor says that serve creates it, and creates nothing",
    ],
  },
  U3: {
    "EACCES is said as such, at once": [
      "e2e/data-directory.test.ts: a user without access is told whose it is, by every command and at once",
    ],
  },
  U5: {
    "`usage tail` obeys `--limit`, in order": [
      "cli/usage-commands.test.ts: --limit %s begins with that many rows, and prints each later row once, in order",
    ],
    "it goes on when the gateway restarts": [
      "cli/usage-commands.test.ts: on the embedded database joins a running gateway, which can stop and start again meanwhile",
    ],
  },
  U6: {
    "a gateway key in another credential's place is recognized, and the refusal is not tried again": [
      "gateway/credentials.test.ts: %s says who the client is; without a provider's credential the request fails with that reason",
      "gateway/credentials.test.ts: it is enough together with a provider's credential in another place, and is not forwarded",
    ],
  },
  U7: {
    "a configuration of the Go gateway stops nothing": [
      "config/load.test.ts: [U7] a configuration file of the Go gateway, of any version, never stops the program",
    ],
    "`providers.azure` and `.bedrock` are providers": [
      "config/load.test.ts: [U7] %s is a provider like any other, also in variables",
    ],
  },
  U12: {
    "a DATABASE_URL that is none is an error": [
      "config/load.test.ts: [U12] a DATABASE_URL that is no PostgreSQL address is an error, never silently the embedded database",
    ],
    "a version in `base_url` is not doubled": [
      "gateway/credentials.test.ts: [U12] a base URL that ends with the API's version",
    ],
    "something is on the screen before the database exists, and a restart says where to send requests": [
      "e2e/first-run.test.ts: [LOD-11] serve prints the banner, a first key, and how to use it",
      "e2e/first-run.test.ts: [SHU-02] SIGTERM ends it with exit code 0; the next start has the key and the row, and prints no second key",
    ],
    "what destroys data asks on a terminal": ["cli/terminal.test.ts: [U12] on a terminal"],
    "output that cannot be written is one line": [
      "cli/terminal.test.ts: [U12] output on a full disk is one line and exit code 1",
    ],
  },
  U13: {
    "`backup` and `restore`, also while the gateway runs": [
      "database/backup.test.ts: a backup that was made while rows arrived has every row that was accepted before it, and its books balance",
      "database/backup.test.ts: the restored directory has the keys, the rows, the totals and the price lists",
    ],
    "a damaged or foreign file changes nothing": [
      "database/backup.test.ts: a backup %s is rejected before anything is touched",
      "database/backup.test.ts: a backup that was forged with right checksums, in which an entry %s, is rejected and writes nothing",
      "database/backup.test.ts: a directory with data is replaced only with force, and the earlier data are kept",
    ],
    "an interruption leaves nothing half": [
      "database/backup.test.ts: a file that exists is not overwritten, and an interrupted backup leaves nothing",
      "database/backup.test.ts: a database between two restores is not opened",
    ],
  },
  U14: {
    "the demo has agent runs": ["cli/demo.test.ts: has agent runs whose steps are a tree below the first"],
    "`--demo` works on every command": ["cli/demo.test.ts: every command has --demo, which excludes --config"],
  },
  U15: {
    "a slow upload that moves is not refused": [
      "matrix/refusals.test.ts: [TMO-04] [TMO-05] a body that arrives slowly is not cut while bytes flow, and 408 follows server.read_timeout without any",
    ],
    "`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honored": [
      "matrix/upstream-proxy.test.ts: [CON-10] [U15] proxy variables",
    ],
    "every root of the SDKs reaches its provider": [
      "providers/operations.test.ts: reach the provider of their SDK without a header of the gateway",
    ],
    "CORS by a setting": [
      "server/access.test.ts: answers the preflight request of a listed origin, and adds its headers instead of the provider's",
    ],
  },
}
