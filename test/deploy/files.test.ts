import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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

  test("prints no key, has no package manager, and names its base image by a variable", () => {
    const text = read("Dockerfile")
    expect(text).toContain("MAJORDOMO_SERVER_CREATE_FIRST_KEY=false")
    expect(text).toMatch(/rm -rf \/usr\/local\/lib\/node_modules /)
    expect(steps.filter((line) => line.startsWith("FROM "))).toEqual([
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      "FROM ${NODE_IMAGE} AS build",
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the Dockerfile
      "FROM ${NODE_IMAGE}",
    ])
  })

  test("its variables are settings, and the package supports its Node version", () => {
    const pairs = [...read("Dockerfile").matchAll(/\b(MAJORDOMO_\w+)=(\S+)/g)].map(([, name, value]) => [name, value])
    expect(pairs.length).toBeGreaterThan(0)
    expect(problemsOf(Object.fromEntries(pairs))).toEqual([])
    expect(Number(/node:(\d+)/.exec(last("ARG")!)![1])).toBeGreaterThanOrEqual(
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
  const compose = parse(read("docker-compose.yml"), { merge: true })
  const example = Object.fromEntries(
    [...read(".env.example").matchAll(/^#?([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  )

  test("the gateway waits for PostgreSQL 16, has a volume for its journal, and enough time to stop", () => {
    const { gateway, migrate, postgres } = compose.services
    expect(gateway.depends_on.migrate.condition).toBe("service_completed_successfully")
    expect(migrate.depends_on.postgres.condition).toBe("service_healthy")
    expect(postgres.image).toContain("postgres:16")
    expect(postgres.healthcheck.test).toContain("pg_isready")
    expect(gateway.volumes).toEqual(["journal:/var/lib/majordomo"])
    expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(["journal", "postgres"]))
    expect(parseInt(gateway.stop_grace_period, 10)).toBeGreaterThan(
      parseInt(String(SETTINGS.server.shutdown_timeout.initial), 10),
    )
    expect(gateway.ports[0]).toContain(`:${SETTINGS.server.port.initial}`)
  })

  test("every service has a read-only root, no capability that it does not need, and an image that a variable pins", () => {
    const needed: Record<string, string[]> = { postgres: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] }
    for (const [name, service] of Object.entries<Record<string, unknown>>(compose.services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      })
      expect(service["cap_add"] ?? [], name).toEqual(needed[name] ?? [])
      const image = service["build"] ? JSON.stringify(service["build"]) : service["image"]
      expect(image, name).toMatch(/\$\{[A-Z]+_IMAGE:-/)
      expect(service, name).not.toHaveProperty("privileged")
    }
    expect(compose.services.gateway.user).toBe("1000:1000")
    expect(compose.networks.database.internal).toBe(true)
    expect(compose.services.postgres.networks).toEqual(["database"])
  })

  test("the gateway has neither the superuser's nor the owner's password, and does not migrate", () => {
    const { gateway, migrate } = compose.services
    expect(JSON.stringify(gateway)).not.toMatch(/POSTGRES_PASSWORD:\?|OWNER_PASSWORD/)
    expect(gateway).not.toHaveProperty("env_file")
    expect(gateway.environment).toMatchObject({
      MAJORDOMO_STORAGE_POSTGRES_USER: "majordomo",
      MAJORDOMO_STORAGE_AUTO_MIGRATE: "false",
    })
    expect(JSON.stringify(migrate)).not.toMatch(/\$\{POSTGRES_PASSWORD|GATEWAY_PASSWORD/)
    expect(migrate.environment.MAJORDOMO_STORAGE_POSTGRES_USER).toBe("majordomo_owner")
  })

  test("every variable with our prefix is a setting, in both files", () => {
    const { environment } = compose.services.gateway
    const ours = Object.keys(environment)
      .concat(Object.keys(example))
      .filter((name) => name.startsWith("MAJORDOMO_"))
    expect(ours.length).toBeGreaterThan(6)
    expect(problemsOf(Object.fromEntries(ours.map((name) => [name, ""])))).toEqual([])
  })

  test("[O12] MinIO does not start with an empty or short secret", () => {
    const { entrypoint, command, environment } = compose.services.minio
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of compose
    expect(environment.MINIO_ROOT_PASSWORD).toBe("${MAJORDOMO_S3_SECRET_ACCESS_KEY:-}")
    const [shell, ...words] = [...entrypoint, ...command.map((text: string) => text.replaceAll("$$", "$"))]
    const bin = mkdtempSync(join(tmpdir(), "mdm-minio-"))
    writeFileSync(join(bin, "minio"), "#!/bin/sh\necho started $*\n", { mode: 0o755 })
    const start = (secret: string) =>
      spawnSync(shell, words, { env: { PATH: bin, MINIO_ROOT_PASSWORD: secret }, encoding: "utf8" })
    for (const secret of ["", "1234567"]) {
      expect(start(secret)).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("_SECRET_") })
    }
    expect(start("12345678")).toMatchObject({ status: 0, stdout: "started server /data\n" })
    rmSync(bin, { recursive: true })
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

  test("only the Job has the owner's secret, and both run with the least privilege", () => {
    const job = load("migrate-job.yaml").spec.template.spec
    const secrets = [job, pod].map(({ containers }) => containers[0].envFrom[0].secretRef.name)
    expect(secrets).toEqual(["majordomo-owner", "majordomo-gateway"])
    for (const each of [job, pod]) {
      expect(each.automountServiceAccountToken).toBe(false)
      expect(each.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: "RuntimeDefault" },
      })
      expect(each.containers[0].securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      })
    }
    // The Service would otherwise send requests to the Job.
    expect(load("migrate-job.yaml").spec.template).not.toHaveProperty("metadata")
    expect(spec.selector.matchLabels).toEqual(load("service.yaml").spec.selector)
  })

  test("the policy admits labeled namespaces only, and forbids the metadata service of a cloud", () => {
    const policy = load("network-policy.yaml").spec
    expect(policy.policyTypes).toEqual(["Ingress", "Egress"])
    expect(policy.podSelector.matchLabels).toEqual(kustomization.labels[0].pairs)
    expect(kustomization.labels[0].includeTemplates).toBe(true)
    for (const { from, ports } of policy.ingress) {
      expect(from).toEqual([{ namespaceSelector: { matchLabels: { "majordomo-gateway/client": "true" } } }])
      expect(ports).toEqual([{ port: container.ports[0].name }])
    }
    const blocks = policy.egress.flatMap(({ to }: { to: { ipBlock?: { cidr: string; except: string[] } }[] }) =>
      to.flatMap(({ ipBlock }) => ipBlock ?? []),
    )
    expect(blocks).toHaveLength(4)
    for (const { cidr, except } of blocks)
      expect(except).toContain(cidr.includes(":") ? "fd00:ec2::/32" : "169.254.0.0/16")
  })

  test("monitoring selects the gateway's Service and its port", () => {
    const { resources } = load("monitoring/kustomization.yaml")
    for (const name of resources) expect(load(`monitoring/${name}`)).toHaveProperty("kind")
    const { selector, endpoints } = load("monitoring/service-monitor.yaml").spec
    expect(kustomization.labels[0].pairs).toMatchObject(selector.matchLabels)
    expect(load("service.yaml").spec.ports.map(({ name }: { name: string }) => name)).toEqual([endpoints[0].port])
    const { name, key } = endpoints[0].authorization.credentials
    expect(kustomization.secretGenerator).toContainEqual({
      name,
      envs: ["metrics.env"],
      options: { disableNameSuffixHash: true },
    })
    expect(container.envFrom).toContainEqual({ secretRef: { name } })
    expect(read("k8s/metrics.env.example")).toMatch(new RegExp(`^${key}=`))
    expect(problemsOf({ [key]: "x" })).toEqual([])
    expect(endpoints[0].path).toBe(spec.template.metadata.annotations["prometheus.io/path"])
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
    expect(settings.storage).toMatchObject({
      driver: "postgres",
      dataDir: "/var/lib/majordomo/data",
      autoMigrate: false,
    })
    expect(settings.server.createFirstKey).toBe(false)
  })

  const hasKubectl = spawnSync("kubectl", ["kustomize", "--help"]).status === 0
  test.skipIf(!hasKubectl)("kustomize builds it, with matching names and labels (skipped: no kubectl here)", () => {
    const copy = mkdtempSync(join(tmpdir(), "majordomo-k8s-"))
    try {
      cpSync(new URL("k8s/", root), copy, { recursive: true })
      for (const name of ["secret", "owner", "metrics"])
        cpSync(join(copy, `${name}.env.example`), join(copy, `${name}.env`))
      const built = parseAllDocuments(execFileSync("kubectl", ["kustomize", copy], { encoding: "utf8" })).map((each) =>
        each.toJS(),
      )
      expect(built.map(({ kind }) => kind).sort()).toEqual([
        "ConfigMap",
        "Deployment",
        "Job",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Secret",
        "Secret",
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
