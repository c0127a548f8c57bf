import { execFileSync, spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import packageJson from "../../package.json" with { type: "json" }

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const workflows = readdirSync(new URL("../../.github/workflows/", import.meta.url)).map((name) =>
  read(`.github/workflows/${name}`),
)

/** The files next to `dist` in the tarball, without the documents in `docs`. */
const PAPERS = [
  "ARCHITECTURE.md",
  "BENCHMARKS.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "THIRD_PARTY_LICENSES",
  "bin/majordomo.mjs",
  "deploy/postgres-roles.sh",
  "deploy/postgres-roles.sql",
  "package.json",
  "schema.sql",
  "src/pricing/ORIGINS.md",
  "test/vectors/README.md",
  "test/vectors/answers.json",
  "test/vectors/anthropic.json",
  "test/vectors/openai.json",
  "test/vectors/others.json",
]

describe("the package", () => {
  test("[SUP-01] contains only the program, its schema and its documents", () => {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm"
    const printed = execFileSync(npm, ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      shell: process.platform === "win32",
    })
    const [{ files }] = JSON.parse(printed) as [{ files: { path: string }[] }]
    // The bill of materials exists only where a release is made.
    const paths = files.map(({ path }) => path).filter((path) => path !== "sbom.cdx.json")
    const papers = paths.filter((path) => !/^dist\/[\w./@-]+$|^docs\/[\w/-]+\.(?:md|json|yml)$/.test(path))
    expect(papers.sort()).toEqual(PAPERS)
    expect(paths.filter((path) => /\.map$|\.env|\.test\./.test(path))).toEqual([])
  })

  test("names its repository, its pages and where to report faults, at one place", () => {
    const { repository, homepage, bugs } = packageJson
    const address = /^git\+(https:\/\/[\w.-]+\/[\w.-]+\/[\w.-]+)\.git$/.exec(repository.url)?.[1]
    expect(address).toBeDefined()
    expect([homepage, bugs.url]).toEqual([`${address}#readme`, `${address}/issues`])
  })

  test("[SUP-08] has no dependencies that could have advisories, and locks the packages it is built from", () => {
    expect(Object.keys((packageJson as { dependencies?: object }).dependencies ?? {})).toEqual([])
    expect(JSON.parse(read("package-lock.json"))).toHaveProperty("lockfileVersion", 3)
  })

  test("[SUP-01] runs nothing at installation", () => {
    const scripts = Object.keys(packageJson.scripts)
    expect(scripts.filter((name) => /^(?:pre|post)?install$|^(?:pre|post)?prepare$|^dependencies$/.test(name))).toEqual(
      [],
    )
    expect(packageJson).not.toHaveProperty("gypfile")
  })

  test("[SUP-05] is built from packages that are locked by digest, those for other systems included", () => {
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<
        string,
        { integrity?: string; inBundle?: boolean; optionalDependencies?: Readonly<Record<string, string>> }
      >
    }
    const open = Object.entries(packages).filter(([name, { integrity }]) => name !== "" && integrity === undefined)
    expect(open.filter(([, { inBundle }]) => !inBundle).map(([name]) => name)).toEqual([])
    // `npm ci` on another system would otherwise install a program without its binary.
    const names = new Set(Object.keys(packages).map((path) => path.split("node_modules/").at(-1)))
    const optional = Object.values(packages).flatMap((each) => Object.keys(each.optionalDependencies ?? {}))
    expect(optional.filter((name) => !names.has(name))).toEqual([])
  })

  test("[SEC-08] turns on no report, heap snapshot or inspector of node, which would contain the environment", () => {
    const options =
      /process\.report|--report-|--heapsnapshot|--heap-prof|--inspect|--abort-on-uncaught|writeHeapSnapshot|node:inspector/
    const sources = readdirSync(new URL("../../src/", import.meta.url), { recursive: true, encoding: "utf8" })
    const paths = sources.filter((name) => name.endsWith(".ts")).map((name) => `src/${name}`)
    const others = ["bin/majordomo.mjs", "package.json", "Dockerfile", "docker-compose.yml", "docs/deployment.md"]
    expect([...paths, ...others].filter((path) => options.test(read(path)))).toEqual([])
  })

  test("[SUP-07] rejects an older node with one line that names the required version of `engines`", () => {
    const start = (version: string) => {
      const code = `Object.defineProperty(process.versions,"node",{value:"${version}"});process.argv.push("--version");await import("./bin/majordomo.mjs")`
      return spawnSync(process.execPath, ["--input-type=module", "-e", code], { cwd: ROOT, encoding: "utf8" })
    }
    for (const old of ["18.20.0", "20.18.9", "8.0.0"]) {
      const { status, stderr } = start(old)
      expect(status).toBe(1)
      expect(stderr).toBe(`majordomo-gateway needs node 20.19 or newer; this is node ${old}.\n`)
    }
    expect(start("20.19.0").stderr).not.toContain("needs node")
    expect(packageJson.engines.node).toBe(">=20.19.0")
    expect(workflows.join("")).toContain('["20.19", "22", "24", "26"]')
  })
})

describe("the workflows", () => {
  test("[SUP-02] publish with provenance under the workflow's own identity, without a stored token", () => {
    const release = read(".github/workflows/release.yml")
    expect(release).toMatch(/id-token: write/)
    expect(release).toMatch(/npm publish --provenance/)
    expect(release).toMatch(/environment: npm/)
    // npm rejects the provenance of a package that does not name the repository of the run.
    const steps = [
      "npm test",
      "node scripts/sbom.mjs sbom.cdx.json",
      "repository.url=git+$GITHUB_SERVER_URL",
      "node scripts/package-readme.mjs",
      "npm publish",
    ]
    const places = steps.map((step) => release.indexOf(step))
    expect(places).toEqual(places.toSorted((one, other) => one - other))
    expect(places).not.toContain(-1)
    expect(workflows.join("")).not.toMatch(/secrets\.|NPM_TOKEN|NODE_AUTH_TOKEN/)
  })

  test("[SUP-09] have the least privileges, use only GitHub's own actions, and audit each release", () => {
    const [group] = /^ {2}group: .*$/m.exec(read(".github/workflows/ci.yml"))!
    // [O12] A push and the nightly run are both on the main branch, and only runs of one group cancel each other.
    expect(group).toContain("github.event_name")
    for (const text of workflows) {
      expect(text).toMatch(/^permissions:(?: \{\}|\n {2}contents: read)$/m)
      expect(text).not.toMatch(/pull_request_target|write-all/)
      expect(
        [...text.matchAll(/uses: (\S+)/g)].map(([, name]) => name).filter((name) => !/^actions\/[\w-]+@/.test(name!)),
      ).toEqual([])
      expect(text).toContain("npm audit --omit=dev --audit-level=high")
    }
  })
})
