import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parse, parseAllDocuments } from "yaml"
import packageJson from "../../package.json" with { type: "json" }
import { readVariables } from "../../src/config/environment.ts"
import { SETTINGS } from "../../src/config/settings.ts"
import { loadSettings } from "../../src/server/settings.ts"

const root = new URL("../../", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")

/** Returns the problems of variables with our prefix, such as names that are not settings. */
function problemsOf(variables: Readonly<Record<string, string>>): readonly string[] {
  const notes = { problems: [] as string[], warnings: [] as string[] }
  readVariables(variables, { dir: "/", providers: [] }, notes)
  return [...notes.problems, ...notes.warnings]
}

describe("Dockerfile", () => {
  const steps = read("Dockerfile")
    .split("\n")
    .filter((line) => /^[A-Z]+ /.test(line))
  const last = (name: string) => steps.findLast((line) => line.startsWith(`${name} `))

  test("runs node directly, not as root, and checks its health with the program", () => {
    expect(last("ENTRYPOINT")).toBe('ENTRYPOINT ["node", "/app/bin/majordomo.mjs"]')
    expect(last("CMD")).toBe('CMD ["serve"]')
    expect(last("USER")).toMatch(/^USER [1-9]\d*:[1-9]\d*$/)
    expect(read("Dockerfile")).toContain('CMD ["node", "/app/bin/majordomo.mjs", "health"]')
  })

  test("builds in one stage and copies only the package into the other", () => {
    expect(steps.filter((line) => line.startsWith("FROM "))).toHaveLength(2)
    const copies = steps.slice(steps.lastIndexOf(last("FROM")!)).filter((line) => line.startsWith("COPY "))
    expect(copies).toEqual(["COPY --from=build /package /app"])
  })

  test("its variables are settings, and the package supports its Node version", () => {
    const pairs = [...read("Dockerfile").matchAll(/\b(MAJORDOMO_\w+)=(\S+)/g)].map(([, name, value]) => [name, value])
    expect(pairs.length).toBeGreaterThan(0)
    expect(problemsOf(Object.fromEntries(pairs))).toEqual([])
    expect(Number(/node:(\d+)/.exec(last("FROM")!)![1])).toBeGreaterThanOrEqual(
      parseInt(packageJson.engines.node.slice(2), 10),
    )
  })

  test("its build context contains what the build needs, and no secrets", () => {
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
    for (const name of ["bin", "build", "src", "schema.sql", "package.json", "package-lock.json", "build.config.ts"])
      expect(allowed).toContain(`!${name}`)
    expect(allowed.join(" ")).not.toMatch(/\.env|\.git|k8s/)
  })
})

describe("docker-compose.yml and .env.example", () => {
  const compose = parse(read("docker-compose.yml"))
  const example = Object.fromEntries(
    [...read(".env.example").matchAll(/^#?([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  )

  test("the gateway waits for PostgreSQL 16, has a volume for its journal, and enough time to stop", () => {
    const { gateway, postgres } = compose.services
    expect(gateway.depends_on.postgres.condition).toBe("service_healthy")
    expect(postgres.image).toMatch(/^postgres:16/)
    expect(postgres.healthcheck.test).toContain("pg_isready")
    expect(gateway.volumes).toEqual(["journal:/var/lib/majordomo"])
    expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(["journal", "postgres"]))
    expect(parseInt(gateway.stop_grace_period, 10)).toBeGreaterThan(
      parseInt(String(SETTINGS.server.shutdown_timeout.initial), 10),
    )
    expect(gateway.ports[0]).toContain(`:${SETTINGS.server.port.initial}`)
  })

  test("every variable with our prefix is a setting, in both files", () => {
    const { environment } = compose.services.gateway
    const ours = Object.keys(environment)
      .concat(Object.keys(example))
      .filter((name) => name.startsWith("MAJORDOMO_"))
    expect(ours.length).toBeGreaterThan(6)
    expect(problemsOf(Object.fromEntries(ours.map((name) => [name, ""])))).toEqual([])
  })

  test("every variable that compose uses is in .env.example", () => {
    const used = [...read("docker-compose.yml").matchAll(/\$\{([A-Z0-9_]+)/g)].map(([, name]) => name!)
    expect(used.filter((name) => !(name in example))).toEqual([])
  })

  test("the example contains no password", () => {
    const secrets = Object.entries(example).filter(([name]) => /PASSWORD|SECRET/.test(name))
    expect(secrets.length).toBeGreaterThan(0)
    for (const [, value] of secrets) expect(value).toBe("")
  })
})

describe("k8s/", () => {
  const load = (name: string) => parse(read(`k8s/${name}`))
  const kustomization = load("kustomization.yaml")
  const { spec } = load("deployment.yaml")
  const pod = spec.template.spec
  const [container] = pod.containers

  test("every file that the kustomization names exists", () => {
    for (const name of kustomization.resources) expect(load(name)).toHaveProperty("kind")
    const [{ files, name }] = kustomization.configMapGenerator
    expect(files).toEqual(["majordomo.yaml=settings.yaml"])
    expect(pod.volumes.find((volume: { name: string }) => volume.name === "config").configMap.name).toBe(name)
    expect(container.envFrom[0].secretRef.name).toBe(kustomization.secretGenerator[0].name)
    expect(kustomization.images[0].name).toBe(container.image)
  })

  test("it has two replicas, and one is always available", () => {
    expect(spec.replicas).toBe(2)
    expect(load("pod-disruption-budget.yaml").spec.minAvailable).toBe(1)
    expect(spec.strategy.rollingUpdate.maxUnavailable).toBe(0)
  })

  test("its probes use /health and /readyz, and it has enough time to stop", () => {
    expect(container.livenessProbe.httpGet.path).toBe("/health")
    expect(container.readinessProbe.httpGet.path).toBe("/readyz")
    const preStop = Number(container.lifecycle.preStop.exec.command[1])
    const shutdown = parseInt(String(SETTINGS.server.shutdown_timeout.initial), 10)
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStop + shutdown)
    expect(container.ports[0].containerPort).toBe(SETTINGS.server.port.initial)
    expect(load("service.yaml").spec.ports[0].targetPort).toBe(container.ports[0].name)
  })

  test("it does not run as root, can write only to its volumes, and declares each mounted volume", () => {
    expect(pod.securityContext.runAsNonRoot).toBe(true)
    expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false })
    const volumes = pod.volumes.map(({ name }: { name: string }) => name)
    expect(container.volumeMounts.map(({ name }: { name: string }) => name).sort()).toEqual(volumes.sort())
  })

  test("the gateway accepts its settings and variables", async () => {
    const secret = Object.fromEntries(
      read("k8s/secret.env.example")
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    )
    const env = { ...secret, [container.env[0].name]: container.env[0].value }
    const configFile = new URL("k8s/settings.yaml", root).pathname
    const { settings, warnings } = await loadSettings({ configFile, env, cwd: tmpdir() })
    expect(warnings).toEqual([])
    expect(settings.storage).toMatchObject({ driver: "postgres", dataDir: "/var/lib/majordomo/data" })
  })

  const hasKubectl = spawnSync("kubectl", ["kustomize", "--help"]).status === 0
  test.skipIf(!hasKubectl)("kustomize builds it, with matching names and labels (skipped: no kubectl here)", () => {
    const copy = mkdtempSync(join(tmpdir(), "majordomo-k8s-"))
    try {
      cpSync(new URL("k8s/", root), copy, { recursive: true })
      cpSync(join(copy, "secret.env.example"), join(copy, "secret.env"))
      const built = parseAllDocuments(execFileSync("kubectl", ["kustomize", copy], { encoding: "utf8" })).map((each) =>
        each.toJS(),
      )
      expect(built.map(({ kind }) => kind).sort()).toEqual([
        "ConfigMap",
        "Deployment",
        "Namespace",
        "PodDisruptionBudget",
        "Secret",
        "Service",
      ])
      const find = (kind: string) => built.find((each) => each.kind === kind)
      const labels = find("Deployment").spec.template.metadata.labels
      for (const selector of [
        find("Deployment").spec.selector.matchLabels,
        find("Service").spec.selector,
        find("PodDisruptionBudget").spec.selector.matchLabels,
      ])
        expect(labels).toMatchObject(selector)
    } finally {
      rmSync(copy, { recursive: true })
    }
  })
})

describe("Makefile", () => {
  const makefile = read("Makefile")
  test("every documented target exists, and every npm script that it runs", () => {
    const targets = [...makefile.matchAll(/^([a-z-]+):/gm)].map(([, name]) => name)
    expect(targets).toEqual(
      expect.arrayContaining(["build", "run", "test", "test-cover", "lint", "fmt", "compose-up", "compose-down"]),
    )
    const scripts = [...makefile.matchAll(/npm (?:run )?([a-z:]+)/g)]
      .map(([, name]) => name)
      .filter((name) => name !== "ci")
    for (const script of scripts) expect(packageJson.scripts).toHaveProperty([script!])
  })
})
