import { execFileSync } from "node:child_process"
import { lstatSync, readdirSync } from "node:fs"
import { join } from "node:path"

/**
 * What `npm install` of the package puts on the disk besides itself: bytes per direct dependency (with what only comes
 * because of it counted to the first that brings it), packages and bytes in all.
 *
 * @param {string} root
 */
export function measureInstalled(root) {
  const tree = JSON.parse(
    execFileSync("npm", ["ls", "--omit=dev", "--all", "--json", "--long"], { cwd: root, encoding: "utf8" }),
  )
  const counted = new Set()
  /** @type {Record<string, { packages: number, bytes: number }>} */
  const direct = {}
  for (const [name, node] of Object.entries(tree.dependencies ?? {})) {
    const own = { packages: 0, bytes: 0 }
    add(node, own)
    direct[name] = own
  }
  const all = Object.values(direct)
  const sum = (/** @type {"packages" | "bytes"} */ field) => all.reduce((total, one) => total + one[field], 0)
  return { direct, packages: sum("packages"), bytes: sum("bytes") }

  /** @param {any} node @param {{ packages: number, bytes: number }} own */
  function add(node, own) {
    if (typeof node.path !== "string" || counted.has(node.path)) return
    counted.add(node.path)
    own.packages++
    own.bytes += bytesOf(node.path)
    for (const child of Object.values(node.dependencies ?? {})) add(child, own)
  }
}

/** Bytes of the files below, other packages inside excluded. @param {string} directory @returns {number} */
function bytesOf(directory) {
  let bytes = 0
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue
    const path = join(directory, entry.name)
    bytes += entry.isDirectory() ? bytesOf(path) : lstatSync(path).size
  }
  return bytes
}
