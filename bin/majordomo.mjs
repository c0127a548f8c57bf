#!/usr/bin/env node
// Checked before anything is loaded: an older node would stop at syntax or modules that it does not know.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major > 20 || (major === 20 && minor >= 19)) {
  const [command, ...rest] = process.argv.slice(2)
  // A status line is drawn often, and has a small program of its own.
  const isDone = command === "statusline" && (await (await import("../dist/statusline.mjs")).runStatusLine(rest))
  if (!isDone) await (await import("../dist/index.mjs")).run(process.argv.slice(2))
} else {
  console.error(`majordomo-gateway needs node 20.19 or newer; this is node ${process.versions.node}.`)
  process.exitCode = 1
}
