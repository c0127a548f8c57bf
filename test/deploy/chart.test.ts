import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parse, parseAllDocuments } from "yaml"
import packageJson from "../../package.json" with { type: "json" }
import { loadSettings } from "../../src/server/settings.ts"

const root = new URL("../../", import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), "utf8")
const CHART = new URL("k8s/chart", root).pathname

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
}

/** Returns the paths of a chart's values, as far as its schema names them. */
function pathsOf(values: Readonly<Record<string, unknown>>, { properties }: Schema, path = ""): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const below = properties?.[name]
    if (below === undefined) return [`${path}${name} is not in the schema`]
    return below.properties ? pathsOf(value as Record<string, unknown>, below, `${path}${name}.`) : []
  })
}

describe("k8s/chart", () => {
  const values = parse(read("k8s/chart/values.yaml"))

  test("its version is that of the package, and its schema knows each value", () => {
    const chart = parse(read("k8s/chart/Chart.yaml"))
    expect(chart).toMatchObject({ version: packageJson.version, appVersion: packageJson.version })
    expect(pathsOf(values, JSON.parse(read("k8s/chart/values.schema.json")))).toEqual([])
  })

  test("the gateway accepts its settings", async () => {
    const dir = mkdtempSync(join(tmpdir(), "majordomo-chart-"))
    try {
      const configFile = join(dir, "majordomo.yaml")
      writeFileSync(configFile, JSON.stringify(values.settings))
      const env = { MAJORDOMO_STORAGE_POSTGRES_URL: "postgres://majordomo@db.example.com/majordomo" }
      const { settings, warnings } = await loadSettings({ configFile, env, cwd: dir })
      expect(warnings).toEqual([])
      expect(settings.storage).toMatchObject({ driver: "postgres", autoMigrate: false })
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  test("it has no password and no token", () => {
    expect(values.database).toEqual({ url: "", ownerUrl: "", existingSecret: "", ownerExistingSecret: "" })
    expect(values.metrics.token).toBe("")
  })
})

describe("k8s/autoscaling", () => {
  const load = (name: string) => parse(read(`k8s/autoscaling/${name}`))
  const { spec } = load("autoscaler.yaml")

  test("it scales the gateway by a metric that the gateway has, as the chart does", () => {
    const [{ pods }] = spec.metrics
    expect(read("docs/metrics.md")).toContain(`| \`${pods.metric.name}\` | gauge |`)
    expect(load("prometheus-adapter.yaml").rules.custom[0].seriesQuery).toMatch(new RegExp(`^${pods.metric.name}{`))
    expect(spec.scaleTargetRef.name).toBe(parse(read("k8s/deployment.yaml")).metadata.name)
    const { autoscaling } = parse(read("k8s/chart/values.yaml"))
    expect({ min: spec.minReplicas, max: spec.maxReplicas, openRequests: Number(pods.target.averageValue) }).toEqual({
      min: autoscaling.min,
      max: autoscaling.max,
      openRequests: autoscaling.openRequests,
    })
    expect(load("kustomization.yaml").resources).toEqual(["autoscaler.yaml"])
  })
})

const hasHelm = spawnSync("helm", ["version"]).status === 0
describe.skipIf(!hasHelm)("the chart as helm renders it (skipped: no helm here)", () => {
  const DATABASE = ["database.url=postgres://gateway@db/x", "database.ownerUrl=postgres://owner@db/x"]

  const template = (...set: readonly string[]) => [
    ...["template", "one", CHART, "--kube-version", "1.31", "--namespace", "llm"],
    ...set.flatMap((each) => ["--set", each]),
  ]
  const render = (...set: readonly string[]) =>
    parseAllDocuments(execFileSync("helm", template(...DATABASE, ...set), { encoding: "utf8" })).map((each) =>
      each.toJS(),
    )
  const find = (objects: readonly { kind: string }[], kind: string) =>
    // biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes
    objects.find((each) => each.kind === kind) as any

  test("its pod is that of the manifests", () => {
    const expected = parse(read("k8s/deployment.yaml")).spec
    const actual = find(render(), "Deployment").spec
    const [container] = actual.template.spec.containers
    const [manifest] = expected.template.spec.containers
    for (const name of ["args", "ports", "env", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"])
      expect(container[name], name).toEqual(manifest[name])
    for (const name of ["resources", "securityContext", "volumeMounts"])
      expect(container[name], name).toEqual(manifest[name])
    expect(actual.template.spec.securityContext).toEqual(expected.template.spec.securityContext)
    expect(actual.template.spec.automountServiceAccountToken).toBe(false)
    expect(actual.strategy).toEqual(expected.strategy)
    expect(container.image).toBe(`registry.example.com/majordomo-gateway:${packageJson.version}`)
  })

  test("its selectors select the gateways and not the Job, and its policy both", () => {
    const all = render("metrics.serviceMonitor.enabled=true")
    const gateway = find(all, "Deployment").spec.template.metadata.labels
    const job = find(all, "Job").spec.template.metadata.labels
    const selectors = [
      find(all, "Deployment").spec.selector.matchLabels,
      find(all, "Service").spec.selector,
      find(all, "PodDisruptionBudget").spec.selector.matchLabels,
    ]
    for (const selector of selectors) {
      expect(gateway).toMatchObject(selector)
      expect(job).not.toMatchObject(selector)
    }
    expect(find(all, "Service").metadata.labels).toMatchObject(find(all, "ServiceMonitor").spec.selector.matchLabels)
    for (const labels of [gateway, job]) {
      expect(labels).toMatchObject(find(all, "NetworkPolicy").spec.podSelector.matchLabels)
    }
  })

  test("only the Job has the owner's secret, which does not outlive it", () => {
    const all = render()
    const owner = all.find(({ metadata }) => metadata.name.endsWith("-owner"))
    expect(owner.metadata.annotations["helm.sh/hook-delete-policy"]).toContain("hook-succeeded")
    expect(JSON.stringify(find(all, "Job"))).toContain(owner.metadata.name)
    expect(JSON.stringify(find(all, "Deployment"))).not.toContain(owner.metadata.name)
  })

  test("with a volume it is a StatefulSet whose volumes stay", () => {
    const all = render("persistence.enabled=true", "autoscaling.enabled=true")
    const { spec } = find(all, "StatefulSet")
    expect(spec.persistentVolumeClaimRetentionPolicy).toEqual({ whenDeleted: "Retain", whenScaled: "Retain" })
    expect(spec.volumeClaimTemplates[0].metadata.name).toBe("data")
    expect(spec.template.spec.volumes.map(({ name }: { name: string }) => name)).toEqual(["config", "tmp"])
    expect(all.map(({ metadata }) => metadata.name)).toContain(spec.serviceName)
    expect(spec).not.toHaveProperty("replicas")
    expect(find(all, "HorizontalPodAutoscaler").spec.scaleTargetRef.kind).toBe("StatefulSet")
  })

  test("KEDA may scale it instead", () => {
    const all = render("autoscaling.enabled=true", "autoscaling.source=keda")
    expect(find(all, "HorizontalPodAutoscaler")).toBeUndefined()
    expect(find(all, "ScaledObject").spec.triggers[0].metadata.query).toBe(
      'sum(majordomo_open_requests{namespace="llm"})',
    )
  })

  test.each([
    [["replica=3", ...DATABASE], /'replica' not allowed/],
    [[], /set database\.url or database\.existingSecret/],
    [[DATABASE[0]!], /set database\.ownerUrl or database\.ownerExistingSecret, or migrate\.enabled: false/],
    [[...DATABASE, "ingress.enabled=true"], /set ingress\.host/],
    [[...DATABASE, "autoscaling.source=cpu"], /autoscaling\/source/],
  ])("%j is rejected with what is wrong", (set, message) => {
    const { status, stderr } = spawnSync("helm", template(...set), { encoding: "utf8" })
    expect(status).toBe(1)
    expect(stderr).toMatch(message)
  })
})
