import type { RunningServer } from "../server/start.ts"
import { watchLauncher } from "./_launcher.ts"
import type { createLog } from "./_log.ts"

type Log = ReturnType<typeof createLog>["line"]
type Numbers = Pick<ReturnType<RunningServer["stats"]>, "accepted" | "written" | "waiting" | "rejected" | "dropped">

const SIGNALS = ["SIGINT", "SIGTERM"] as const

/** The first signal drains; a second one ends at once. `elsewhere` may ask for the end as well. */
export async function waitForShutdown(server: RunningServer, log: Log, elsewhere?: Promise<string>): Promise<void> {
  const launcher = watchLauncher()
  const asked: Promise<string>[] = [signalled(), launcher.gone]
  if (elsewhere) asked.push(elsewhere)
  const reason = await Promise.race(asked)
  launcher.forget()
  for (const name of SIGNALS) process.on(name, () => endAtOnce(server, log))
  log("info", `${reason}: letting running requests finish (a second signal ends at once)`)
  const stats = await server.stop()
  log(stats.waiting + stats.dropped === 0 ? "info" : "warn", `Stopped. ${toSum(stats)}${toRest(stats)}`)
  process.exit(0)
}

/** A bug that nobody caught: nothing is known of the state, so the process ends, and its rows are on the disk first. */
export function exitOnBug(rescue: () => void, log: Log): void {
  const end = (error: unknown) => {
    try {
      log("error", `internal error, the gateway ends: ${error instanceof Error ? error.stack : String(error)}`)
      rescue()
    } finally {
      process.exit(1)
    }
  }
  process.on("uncaughtException", end)
  process.on("unhandledRejection", end)
}

function endAtOnce(server: RunningServer, log: Log): void {
  server.flushSync()
  const stats = server.stats()
  log("warn", `Stopped at once. ${toSum(stats)}${toRest(stats)}`)
  process.exit(1)
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of SIGNALS) process.once(name, resolve)
  })
}

function toSum({ accepted, written, waiting, rejected, dropped }: Numbers): string {
  return `Rows: ${accepted} accepted = ${written} written + ${waiting} waiting + ${rejected} rejected + ${dropped} dropped.`
}

function toRest({ waiting }: Numbers): string {
  return waiting === 0 ? "" : " What waits is in the journal and is written at the next start."
}
