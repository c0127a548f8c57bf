// Writes the bill of materials of the built package (CycloneDX): node scripts/sbom.mjs FILE
// The package has no dependencies, because the build bundles them; THIRD_PARTY_LICENSES, which the build writes, lists what
// the bundle contains. npm knows the origin and the digest of each.
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"

const [file] = process.argv.slice(2)
if (file === undefined) throw new Error("name the file to write: node scripts/sbom.mjs FILE")
const root = new URL("..", import.meta.url)
const options = { cwd: root, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 }
const bom = JSON.parse(
  execFileSync("npm", ["sbom", "--sbom-format", "cyclonedx", "--sbom-type", "application"], options),
)
const licenses = readFileSync(new URL("THIRD_PARTY_LICENSES", root), "utf8")
const bundled = [...licenses.matchAll(/^((?:@[\w.-]+\/)?[\w.-]+(?: in PGlite)?) (\d+\.\d+\.\d\S*) \(/gm)].map(
  ([, name, version]) => ({
    name,
    version,
  }),
)

const all = new Map(bom.components.map((component) => [component.purl, component]))
const toPurl = ({ name, version }) => `pkg:npm/${name.replace("@", "%40")}@${version}`
const ofPackages = bundled.map(toPurl).filter((purl) => all.has(purl))
// PGlite contains other software, which npm does not know.
const inside = bundled.filter((each) => !all.has(toPurl(each)))
const components = [
  ...ofPackages.map((purl) => ({ ...all.get(purl), scope: "required" })),
  ...inside.map(({ name, version }) => ({ "bom-ref": `${name}@${version}`, type: "library", name, version })),
]
bom.components = components.map(({ properties: _, ...component }) => component)
bom.metadata.component.name = "majordomo-gateway"
const own = bom.metadata.component["bom-ref"]
bom.dependencies = [{ ref: own, dependsOn: bom.components.map((component) => component["bom-ref"]) }]
writeFileSync(file, `${JSON.stringify(bom, null, 2)}\n`)
