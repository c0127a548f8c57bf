// Makes the links and pictures of README.md absolute, so that npmjs.com, which has no other file, leads to the pages of this
// version: node scripts/package-readme.mjs https://github.com/OWNER/NAME v1.2.3 [FILE]
// The release workflow runs it before it publishes. In the repository the links stay relative, as forks and clones need them.
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const [repository, tag, file = fileURLToPath(new URL("../README.md", import.meta.url))] = process.argv.slice(2)
if (!/^https:\/\//.test(repository ?? "") || tag === undefined)
  throw new Error("usage: node scripts/package-readme.mjs https://HOST/OWNER/NAME TAG [FILE]")

const PICTURE = /\.(?:svg|webp|png)$/
const text = readFileSync(file, "utf8")
const absolute = text
  .replace(/\]\((?!https:|#)([^)\s]+)\)/g, (_, path) => `](${toAddress(path)})`)
  .replace(/(src|srcset)="(?!https:)([^"]+)"/g, (_, name, path) => `${name}="${toAddress(path)}"`)
writeFileSync(file, absolute)

function toAddress(path) {
  return `${repository}/${PICTURE.test(path) ? "raw" : "blob"}/${tag}/${path}`
}
