// Preloaded into a process that is profiled: SIGUSR2 starts the sampling profiler of V8, and the next SIGUSR2 ends it and
// writes the profile to a file named after the process.
import { writeFileSync } from "node:fs"
import { Session } from "node:inspector"
import { join } from "node:path"

const INTERVAL_US = 250

const session = new Session()
session.connect()
session.post("Profiler.enable")
session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US })
let isRunning = false

process.on("SIGUSR2", () => {
  isRunning = !isRunning
  if (isRunning) return session.post("Profiler.start")
  session.post("Profiler.stop", (_error, { profile }) => {
    writeFileSync(join(process.env.PROFILES ?? ".", `${process.pid}.json`), JSON.stringify(profile))
  })
})
