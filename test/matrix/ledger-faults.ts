/** The faults by which rows could be lost or counted wrong (L), and the parts of the guarantee that nothing is lost (15). */
export const LEDGER_FAULTS = {
  L1: {
    "with a full disk and no database, each row is on the disk or counted, also after a kill": [
      "database/ledger-totals.test.ts: rows fill the reserve, then memory, then are dropped; a kill at any moment leaves each of them counted",
      "chaos/compound.test.ts: [L1] [L6] $rounds kills and stops with the disk full and the database away in between, on $name: each request has its row, or a gap counts it, and each counted one has a name",
    ],
    "the last log line states what is on the disk": [
      "database/ledger-totals.test.ts: a shutdown says what is on the disk, and counts what is not",
      "database/ledger-totals.test.ts: also when the directory is removed under a running gateway, whose last line says so",
    ],
    "`verify` counts what is missing": [
      "database/verify.test.ts: finds rows that are neither in the journal nor in the database, requests without an end, and rejected rows",
    ],
    "a kill between any two steps counts each row once": [
      "database/ledger-crashes.test.ts: rows that are written from memory are counted exactly once, whenever the process is killed",
      "database/ledger-crashes.test.ts: rows that return from memory to the disk are counted exactly once, whenever the process is killed",
      "database/ledger-crashes.test.ts: rows that no place has room for, and the gap that counts them, are counted exactly once, whenever the process is killed",
      "database/upgrade-memory.test.ts: keeps how far each is written, and knows of no rows from memory",
    ],
  },
  L2: {
    "one gateway owns an embedded database, whatever the version of Node and the namespace": [
      "kit/lock.test.ts: a directory has one owner, also seen from …; a killed owner's directory is free at once",
      "embedded/open.test.ts: a second gateway on the same directory fails at once, with an error that names the first",
    ],
  },
  L3: {
    "an older program changes nothing in a newer database, and its rows are counted": [
      "database/schema-versions.test.ts: is left exactly as it is by an older program",
      "database/schema-versions.test.ts: two versions of the program work on one database in turns, and its books balance",
      "database/schema-versions.test.ts: records the version, and leaves a newer schema as it is",
    ],
    "an older program refuses a newer database that it cannot use": [
      "database/schema-versions.test.ts: is rejected in one line by whatever opens it, and by migrate",
      "cli/newer-schema.test.ts: a newer breaking schema is rejected by %s, in one line, before anything is written",
    ],
  },
  L4: {
    "`verify` compares every counter of every day": [
      "database/verify-falsified.test.ts: [L4] of every counter of every rollup that is wrong, also of days that were proven before",
      "database/verify-falsified.test.ts: [L4] of rows of rollups that are missing or belong to nothing, and of a wrong number of distinct values",
      "database/verify-falsified.test.ts: [L4] of pruned days, whose rollups are compared with each other and cannot be repaired",
    ],
    "NaN and Infinity cannot enter, and are found where they are": [
      "database/verify-falsified.test.ts: [L4] NaN and Infinity are not accepted as costs, and are found and repaired where they are",
    ],
    "no column of any table accepts NaN or Infinity": [
      "database/numbers.test.ts: [L4] accepts neither NaN nor Infinity, in any table",
      "database/numbers.test.ts: of version 7 that has NaN goes on taking rows after the update, and is repaired",
    ],
  },
  L5: {
    "an open transaction that holds a lock is named within 3 s, and no row is lost": [
      "database/blocked-ledger.test.ts: a transaction that holds a lock is named, without its statement, and rows are written when it ends",
    ],
    "readiness says that rows are not written": [
      "server/readiness.test.ts: rows that cannot be written are a warning after 3 s, and an error after the time that is set",
    ],
  },
  L6: {
    "the number of dropped rows survives a kill": [
      "database/ledger-totals.test.ts: rows fill the reserve, then memory, then are dropped; a kill at any moment leaves each of them counted",
      "database/ledger-totals.test.ts: a running request whose intent finds no room is counted when its process is killed",
      "kit/log/counter-file.test.ts: [L6] a full disk cannot prevent counters from being stored",
      "kit/log/counter-file.test.ts: a torn or damaged slot leaves the counters that were stored before it",
    ],
  },
  L7: {
    "the fetch of a price list ends at its time limit": [
      "pricing/fetch-list.test.ts: ends at its time limit if the server never answers",
      "pricing/fetch-list.test.ts: ends at its time limit if the body never ends",
    ],
    "a refresh that hangs does not block later ones": [
      "pricing/price-source.test.ts: is fetched again after a server that never answered",
    ],
    "a compressed list cannot exhaust the memory": [
      "pricing/fetch-list.test.ts: stops a body that is larger than the limit after decompression",
    ],
    "a list of millions of values does not stop the event loop": [
      "pricing/fetch-list.test.ts: does not parse a body of so many %s that it would stop the event loop for long",
    ],
    "the body of an error or a redirect is not read": [
      "pricing/fetch-list.test.ts: does not wait for the body of an error or a redirect, which may never end",
    ],
    "redirects are not followed": ["pricing/fetch-list.test.ts: does not follow a redirect"],
  },
  L8: {
    "S3 that hangs frees its upload slot": [
      "bodies/s3-hangs.test.ts: frees the upload when nothing moves, long before the longest time of an attempt",
    ],
    "an answer of S3 that never ends takes no memory": [
      "bodies/s3-hangs.test.ts: with status %i is cut off, so that it takes no memory",
      "bodies/s3-hangs.test.ts: as an object is cut off at a size that no object has",
    ],
  },
  L9: {
    "304 and 204 reach the client, with a length or a body": [
      "gateway/odd-statuses.test.ts: 304 with the length of the body that it does not have",
      "gateway/odd-statuses.test.ts: 204 with a body, which has no place in HTTP",
    ],
    "a 100 that nobody asked for is left out": [
      "gateway/odd-statuses.test.ts: [RSP-07] a 100 that nobody asked for is left out",
    ],
  },
  L10: {
    "odd defaults of a database have no effect": [
      "database/odd-databases.test.ts: datestyle = 'SQL, DMY'",
      "database/odd-databases.test.ts: search_path = ''",
      "database/odd-databases.test.ts: every connection sets its session, the one that listens too",
    ],
    "a database that cannot be used is refused in one line": [
      "database/odd-databases.test.ts: is refused in one line if its encoding is %s",
      "database/odd-databases.test.ts: is refused in one line if it is read-only by default, and leaves no key",
      "database/odd-databases.test.ts: is refused in one line if it has the tables %s of another program, which another schema avoids",
    ],
    "a data directory that cannot be used is refused in one line": [
      "e2e/data-directory.test.ts: a user without access is told whose it is, by every command and at once",
      "e2e/data-directory.test.ts: a read-only file system is named as such, with both databases",
      "cli/doctor.test.ts: a data directory that is a file is a problem, also for root",
    ],
    "`keys create` that fails leaves no key": [
      "database/odd-databases.test.ts: a key whose creation fails does not exist, even if only the answer to its COMMIT was lost",
    ],
    "a standby is not ready": [
      "server/readiness.test.ts: a standby is not ready until it is promoted, and doctor says so",
    ],
    "disabled triggers are reported": [
      "server/readiness.test.ts: triggers that do not run are a warning, and a problem for doctor",
      "server/readiness.test.ts: triggers that a role does not run are a problem for doctor",
    ],
    "triggers, functions, unique keys and constraints that were changed by hand are reported": [
      "server/readiness.test.ts: [L10] a schema that was changed by hand is a warning: triggers, their functions, unique keys, constraints",
      "server/readiness.test.ts: [L10] a schema that was changed by hand is a problem for doctor",
      "operations/verify.test.ts: [L10] verify names parts of the schema without which new rows are not counted, and the books do not balance",
      "database/alterations.test.ts: every trigger, function and unique key of the catalog is one of the parts that are watched",
    ],
    "schema.sql by hand leaves the tables of another program alone": [
      "database/schema-sql.test.ts: [L10] schema.sql by hand rejects the tables of another program in one line, and changes nothing",
    ],
    "a key that could not be shown does not exist": [
      "e2e/unseen-key.test.ts: by `keys create` does not exist afterwards (%j)",
      "e2e/unseen-key.test.ts: by `serve` does not exist afterwards, and the gateway ends, with %s workers",
    ],
  },
  L11: {
    "lines of the journal have checksums": [
      "kit/log/journal.test.ts: are JSON lines with checksums, in files that only this user can read",
      "kit/log/journal.test.ts: at any byte never changes a row that is read: it is the same row, or it is not read",
    ],
    "a JSON answer that takes long is relayed as it comes": [
      "gateway/held-answers.test.ts: [L11] an answer that is no stream",
    ],
    "requests that a shutdown cuts off have an outcome of their own": [
      "e2e/shutdown.test.ts: requests that outlast the shutdown timeout have the outcome `shutdown`, with %s workers",
      "database/upgrade-shutdown.test.ts: counts requests that a shutdown cut off as errors from then on, and keeps its totals",
    ],
    "the journal is said to be writable again only when it is": [
      "database/logs-disk.test.ts: [L11] the journal is said to be writable again only when it is: not while the disk %s",
      "database/logs-disk.test.ts: [L11] the journal is not said to be writable again while it is full, although its disk accepts writes",
    ],
    "metadata keep U+FFFD and every other character": [
      "gateway/metadata.test.ts: keeps the UTF-8 text %j, whatever characters it has",
      "gateway/metadata.test.ts: truncates a value between characters",
    ],
    "a gateway without file descriptors names its own limit": [
      "e2e/descriptors.test.ts: [L11] a gateway without free descriptors names its own limit, loses no row, and serves again afterwards, on $name",
    ],
  },
  L12: {
    "a damaged intent does not stop a start": [
      "database/logs.test.ts: starts although an intent is damaged: it is set aside, and everything else is recovered",
      "kit/log/journal.test.ts: may hold an intent whose middle is damaged: it is set aside, and everything else is recovered",
    ],
    "good rows beside a damaged intent arrive from a recovered directory too": [
      "database/recovery-stats.test.ts: an abandoned journal with a damaged intent is recovered: its rows are written, and no file of it stays",
    ],
    "a recovery that fails leaves neither a segment nor the lock": [
      "database/recovery-stats.test.ts: a journal that cannot be opened is left as it was: without a new segment, and unlocked",
    ],
  },
  L13: {
    "a row that is rejected with any error does not hold its neighbors": [
      "database/rejected-rows.test.ts: is stored beside the journal, and its neighbors are written",
      "database/rejected-rows.test.ts: waits while the database rejects every row, and is written when it no longer does",
    ],
    "a row that is too large for the database does not hold its neighbors": [
      "database/rejected-rows.test.ts: loses its bodies when it is larger than a row may be",
      "database/rejected-rows.test.ts: does not hold its neighbors when it takes the connection down each time",
    ],
    "a segment that cannot be read is skipped and named": [
      "database/rejected-rows.test.ts: is kept under another name, and what follows it is written",
      "database/rejected-rows.test.ts: does not stop the next start: it is kept under another name, and its rows are counted as dropped",
    ],
    "`verify` names a file that it cannot read, and goes on": [
      "database/verify.test.ts: [L13] names files of a journal that cannot be read, and reads the rest",
      "operations/verify.test.ts: [L13] verify names a file of the journal that cannot be read, and the books do not balance",
    ],
  },
  L14: {
    "reports by a name, and filters by it, say what was pruned before the name was active": [
      "operations/pruned-names.test.ts: is reported with the day from which its values are known",
      "database/order-migration.test.ts: is like a new one afterwards, and says from when on the totals of a metadata name are complete",
    ],
  },
  L15: {
    "a revocation names the silent gateways and exits with 1": [
      "database/revocation.test.ts: names the silent gateways, and until when they may accept the key; one beyond its limit is not silent",
      "cli/revoke.test.ts: keys revoke exits with 0 if no gateway is silent, and with 1 if one may still accept the key, which it names",
    ],
    "a setting bounds the age of remembered keys": [
      "database/key-cache.test.ts: while it is unavailable, a known key is accepted only up to the age that is set",
    ],
  },
  L16: {
    "rows that retention deleted are not reported as lost": [
      "database/verify.test.ts: [L16] rows that were pruned and are still in a journal are not lost",
      "database/verify-operations.test.ts: [L16] after activating, pruning, repricing and deactivating, in each order",
    ],
    "rows that were moved to another day are no difference": [
      "database/verify-operations.test.ts: [L16] after edits by hand that triggers follow: other days, models, keys, values, without a cost, and as gaps",
    ],
    "segments rotate by age": [
      "kit/log/journal.test.ts: leave the disk with the next ones when their segment is old, also when it is not full",
    ],
  },
  L17: {
    "pruned rows that are read again are not counted twice": [
      "database/replay.test.ts: adds the rows that waited, and counts no pruned row a second time, although the cursor is lost",
      "database/replay.test.ts: is not taken for written because of a last row that is damaged, or that is not in it",
    ],
  },
  L18: {
    "a long statement is canceled, and the embedded database stays": [
      "embedded/timeouts.test.ts: [L18] a statement above its limit is canceled; the engine, its client and its data stay",
    ],
    "a client's own timeout counts": [
      "embedded/timeouts.test.ts: [L18] a client's own timeout replaces the limit: longer in a comment or a setting, and shorter",
      "embedded/timeouts.test.ts: [L18] the timeout of a query of the program reaches the embedded database",
    ],
  },
  L19: {
    "`metadata deactivate` and a batch do not deadlock": [
      "database/locks.test.ts: a metadata name is deactivated while a batch is written",
    ],
    "prune and reprice do not deadlock": ["database/locks.test.ts: requests are pruned while they are priced again"],
    "the deletion of a key and a batch do not deadlock": [
      "database/locks.test.ts: a key is deleted by hand while a batch of it is written",
    ],
  },
  L20: {
    "each item of a batch has the rates of its own size, also at the exact threshold": [
      "jobs/openai-batch.test.ts: have the rates of their own size, also at the exact threshold of a tier",
    ],
    "a band of an earlier version that a threshold divides is estimated": [
      "providers/batch.test.ts: is an estimate if a threshold lies between the results of one sum",
    ],
  },
  L21: {
    "a command on the host uses the gateway in a container and harms none of its files": [
      "e2e/data-directory.test.ts: a command on the host uses the database of a gateway in a container, and harms none of its files",
    ],
    "a lease that is fresh is never taken, and one that was lost is noticed": [
      "kit/lock.test.ts: a directory that a process on another machine uses is never taken, however long one waits",
      "kit/lock.test.ts: a frozen process on another machine loses its directory, and ends without writing when it wakes up",
    ],
  },
  L22: {
    "the statements of a report see one state of the database": [
      "operations/usage-snapshot.test.ts: a report does not count a day twice that is added to its week between two of its statements",
    ],
    "a recovered journal that is closed leaves the sums of /metrics": [
      "database/recovery-stats.test.ts: a recovered journal that is closed counts with its rows, and no longer with its bytes",
    ],
    "a backfill ends when its name changes": [
      "database/metadata.test.ts: a backfill ends when the name is deactivated or activated again meanwhile, and leaves no totals behind",
    ],
    "a row keeps its details when an error passes": [
      "database/rejected-rows.test.ts: keeps its details when the error passes, such as that of a foreign key",
    ],
    "a body that S3 never took leaves no key in its row": [
      "bodies/s3-hangs.test.ts: is removed from its row however long the database was away",
    ],
    "a compressed answer whose client has left keeps its usage at a shutdown": [
      "e2e/shutdown.test.ts: a compressed answer that is still being decoded when the gateway stops keeps its usage",
    ],
    "a client that reads slowly gets its whole answer": [
      "gateway/slow-readers.test.ts: a client that reads slowly gets its whole answer, however long one write takes",
    ],
    "one process runs the retention": [
      "e2e/retention.test.ts: [L22] of a primary process with two workers, only one process runs the retention, and it runs once",
    ],
  },
  "15.1": {
    "accepted = written + waiting + rejected + dropped holds over the life of a directory": [
      "database/ledger-totals.test.ts: over the life of a directory, accepted = written + waiting + rejected + dropped",
      "database/ledger-totals.test.ts: while only the disk is full, the reserve is used again and again: no row is dropped, and a kill loses none",
      "chaos/compound.test.ts: [L1] [L6] $rounds kills and stops with the disk full and the database away in between, on $name: each request has its row, or a gap counts it, and each counted one has a name",
    ],
    "a damaged record of any kind is set aside, counted and named, and the rest is recovered": [
      "kit/log/journal.test.ts: [LOG-06] is found by its checksum, set aside and named; its neighbors are read",
      "database/logs.test.ts: and lines that the disk has damaged are counted and set aside",
      "bodies/s3-process.test.ts: a damaged record is set aside and lost, its row is corrected, and every other record is stored",
      "kit/log/counter-file.test.ts: a torn or damaged slot leaves the counters that were stored before it",
    ],
    "the counters of /metrics go on over the life of the directory": [
      "e2e/lifelong-counters.test.ts: the counters of rows go on from the last process: $signal with $first workers, then $after",
      "server/prometheus.test.ts: no counter of several processes goes backwards while one is replaced; a lifelong one is then reported by another",
    ],
  },
  "15.2": {
    "a directory has one owner in other versions of Node, namespaces and mounts": [
      "kit/lock.test.ts: a directory has one owner, also seen from …; a killed owner's directory is free at once",
    ],
    "a killed owner is replaced at once, and a frozen one keeps its directory": [
      "kit/lock.test.ts: of processes that try at the same moment, one acquires the lock; when it is killed, the next one does at once",
      "kit/lock.test.ts: a frozen owner on the same kernel keeps its directory, however long it is frozen",
      "e2e/data-directory.test.ts: a gateway that was frozen on another machine, and whose directory a command took over, ends without writing",
    ],
    "another user cannot hold a directory": [
      "kit/lock.test.ts: another user can neither hold the lock of a directory nor disturb its owner",
    ],
    "a command harms no file of a live gateway": [
      "e2e/data-directory.test.ts: a command on the host uses the database of a gateway in a container, and harms none of its files",
      "e2e/data-directory.test.ts: root joins the gateway of another user, and leaves that user's files alone when it does not run",
    ],
    "a process that lost its directory writes nothing": [
      "kit/log/journal.test.ts: are not written while the lock is not held",
      "embedded/open.test.ts: an engine whose lease is late writes nothing until the lease is renewed",
    ],
    "an owner whose directory was moved or deleted ends when another process takes its place": [
      "kit/lock.test.ts: an owner whose directory was %s goes on until another process acquires a directory in its place",
    ],
  },
  "15.3": {
    "one bad row never holds its neighbors, on both databases": [
      "database/rejected-rows.test.ts: is stored beside the journal, and its neighbors are written",
    ],
    "nothing is counted twice, whatever is read again": [
      "database/replay.test.ts: adds the rows that waited, and counts no pruned row a second time, although the cursor is lost",
      "database/rollups.test.ts: a batch that is sent again adds nothing, and a batch that is partly new adds its new rows",
    ],
    "totals of pruned days stay attributable, or say that they are not": [
      "operations/pruned-names.test.ts: is reported with the day from which its values are known",
      "reports/rollups.test.ts: reports from rollups do not change; other reports say that they miss requests",
    ],
    "a row that was confirmed survives a crash of the database, whatever its defaults": [
      "database/odd-databases.test.ts: keeps what it has confirmed when it crashes, although its commits are asynchronous by default",
    ],
    "a copy of a data directory replaces no row": [
      "database/replay.test.ts: in a copy of its directory, which takes a request in progress for lost, does not replace the row of that request",
    ],
    "another program that truncates a file of the journal costs no row that was not in it": [
      "kit/log/journal.test.ts: are read where they were written, although another program truncates the live file again and again",
    ],
  },
  "15.4": {
    "`verify` sees each counter that is wrong": [
      "database/verify-falsified.test.ts: [L4] of every counter of every rollup that is wrong, also of days that were proven before",
    ],
    "settled days are proven once and sampled after, and `--all` proves everything": [
      "database/verify-operations.test.ts: so that a second run compares only a sample, and every day when it is told to or when something has changed",
      "database/verify-operations.test.ts: and the sample goes round: every day is compared again after some runs",
    ],
    "`verify` gives no false alarm": [
      "database/verify-operations.test.ts: [L16] after activating, pruning, repricing and deactivating, in each order",
      "database/verify-operations.test.ts: after copying a database with pruned days, once and again, and after restoring a copy of its tables",
      "database/verify-operations.test.ts: after migrating a database of version 2 with rows, also with NaN in them",
      "database/verify-operations.test.ts: while a gateway writes, prunes and changes rows",
    ],
    "`--repair` computes what differs again, and says so": [
      "operations/verify.test.ts: verify names what differs, --repair computes it again and says so, and pruned days stay as they are",
    ],
  },
  "15.5": {
    "readiness and doctor know a database that takes no rows": [
      "server/readiness.test.ts: a standby is not ready until it is promoted, and doctor says so",
      "server/readiness.test.ts: a database that is read-only by default is an error that says where that was set",
      "server/readiness.test.ts: rows that cannot be written are a warning after 3 s, and an error after the time that is set",
    ],
    "readiness warns of disabled triggers, a full journal, a full disk and old prices": [
      "server/readiness.test.ts: triggers that do not run are a warning, and a problem for doctor",
      "server/readiness.test.ts: a full journal is an error only if requests are rejected because of it",
      "server/readiness.test.ts: a disk with little room is a warning",
      "server/readiness.test.ts: a price list that could not be fetched for a week is a warning",
    ],
    "a lock that holds the ledger is named within 3 s": [
      "database/blocked-ledger.test.ts: a transaction that holds a lock is named, without its statement, and rows are written when it ends",
    ],
    "locks are taken in one order": [
      "database/locks.test.ts: a name is counted for earlier requests while rollups are rebuilt",
      "database/locks.test.ts: a transaction that a deadlock ended runs again",
    ],
  },
  "15.6": {
    "a revocation says who acknowledged it, who is silent, and until when a key may be accepted": [
      "database/revocation.test.ts: names the gateways that reject the key",
      "database/revocation.test.ts: names the silent gateways, and until when they may accept the key; one beyond its limit is not silent",
      "database/revocation.test.ts: cannot be acknowledged by a notification of a role that may only connect, and its garbage breaks nothing",
    ],
  },
}
