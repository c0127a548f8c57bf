import { LockLostError } from "../kit/lock.ts"
import type { RunningServer } from "../server/start.ts"
import { watchLauncher } from "./_launcher.ts"
import type { createLog } from "./_log.ts"

type Log = ReturnType<typeof createLog>["line"]
type RowCounts = Pick<ReturnType<RunningServer["stats"]>, "accepted" | "written" | "waiting" | "rejected" | "dropped">

/** A terminal that is closed sends SIGHUP. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const
/** Signals by which other programs open their log again. Without a listener, Node opens its debugger, or ends. */
const IGNORED = ["SIGUSR1", "SIGUSR2"] as const
/**
 * One wish to stop may arrive several times: a Ctrl-C reaches npm and the gateway, and npm sends it to the gateway once
 * more; `timeout` and service managers signal the process and its group. Signals this soon after the first are the same.
 */
const REPEATED_SIGNAL_MS = 500

/** The primary process of a worker. */
interface Primary {
  /** Resolves with a reason when the primary process wants this one to end, or is gone. */
  readonly stopAsked: Promise<string>
  /** Whether the primary process lives. It then decides alone whether a second signal ends all processes at once. */
  hasPrimary(): boolean
}

/** Waits for a signal, drains the server and ends the process. A second signal ends it at once. */
export async function waitForShutdown(server: RunningServer, log: Log, primary?: Primary): Promise<void> {
  for (const name of IGNORED) process.on(name, () => log("info", `${name} has no effect: the log goes to stderr`))
  const launcher = watchLauncher()
  const reasons: Promise<string>[] = [nextSignal(), launcher.gone]
  if (primary) reasons.push(primary.stopAsked)
  const reason = await Promise.race(reasons)
  launcher.forget()
  onNextSignal(() => exitAtOnce(server, log), primary)
  log("info", `${reason}: waiting for running requests to finish (a second signal ends the process at once)`)
  const stats = await server.stop()
  log(stats.waiting + stats.dropped === 0 ? "info" : "warn", `Stopped. ${toSum(stats)}${toAdvice(stats)}`)
  process.exit(0)
}

export interface ExitOnBug {
  /** Flushes rows to the disk. Set when there can be some. */
  flushSync(): void
}

/**
 * Ends the process at an error that nothing has caught, because its state is then unknown. Rows are flushed first, unless
 * the files now belong to another process, which has already written what it found in them.
 */
export function exitOnBug(log: Log): ExitOnBug {
  const rows: ExitOnBug = { flushSync() {} }
  const exit = (error: unknown) => {
    if (error instanceof LockLostError) {
      log("error", `${error.message}: the gateway ends at once, without writing anything more`)
      process.exit(1)
    }
    try {
      log("error", `internal error, the gateway ends: ${error instanceof Error ? error.stack : String(error)}`)
      rows.flushSync()
    } finally {
      process.exit(1)
    }
  }
  process.on("uncaughtException", exit)
  process.on("unhandledRejection", exit)
  return rows
}

function exitAtOnce(server: RunningServer, log: Log): void {
  server.flushSync()
  const stats = server.stats()
  log("warn", `Stopped at once. ${toSum(stats)}${toAdvice(stats)}`)
  process.exit(1)
}

function onNextSignal(exit: () => void, primary: Primary | undefined): void {
  let since = performance.now()
  const onSignal = () => {
    if (primary?.hasPrimary()) since = performance.now()
    else if (performance.now() - since >= REPEATED_SIGNAL_MS) exit()
  }
  for (const name of SIGNALS) process.on(name, onSignal)
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of SIGNALS) process.once(name, resolve)
  })
}

function toSum({ accepted, written, waiting, rejected, dropped }: RowCounts): string {
  return `Rows: ${accepted} accepted = ${written} written + ${waiting} waiting + ${rejected} rejected + ${dropped} dropped.`
}

function toAdvice({ waiting }: RowCounts): string {
  return waiting === 0 ? "" : " The waiting rows are in the journal and are written at the next start."
}
