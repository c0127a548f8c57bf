#!/usr/bin/env node
// Checked before anything is loaded: an older node would stop at syntax or modules that it does not know.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major > 20 || (major === 20 && minor >= 19)) {
  const { run } = await import("../dist/index.mjs")
  await run(process.argv.slice(2))
} else {
  console.error(`majordomo-gateway needs node 20.19 or newer; this is node ${process.versions.node}.`)
  process.exitCode = 1
}
