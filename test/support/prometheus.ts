import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const hasProgram = (name: string) => spawnSync(name, ["--version"]).status === 0

/** Whether Prometheus is installed, as by `apt-get install prometheus`. */
export const hasPrometheus = hasProgram("prometheus") && hasProgram("promtool")
/** For titles of tests that need it. */
export const NEEDS_PROMETHEUS = hasPrometheus ? "" : " (skipped: no prometheus and promtool here)"

export const GRAFANA = fileURLToPath(new URL("../../docs/grafana/", import.meta.url))

/** Runs `promtool` in docs/grafana. Returns what it prints; throws with its complaints. */
export function promtool(args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: GRAFANA, encoding: "utf8", input })
  if (status !== 0) throw new Error(`promtool ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`)
  return stdout + stderr
}

interface VectorSample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [at: number, value: string]
}

interface MatrixSample {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [at: number, value: string])[]
}

export interface Prometheus {
  /** Calls its API and returns the data. @throws with its error */
  get<T = unknown>(path: string, query?: Readonly<Record<string, string>>): Promise<T>
  /** Evaluates an expression now. */
  query(expression: string): Promise<readonly VectorSample[]>
  /** Returns the stored samples of a range selector, such as `up[5m]`. */
  samples(selector: string): Promise<readonly MatrixSample[]>
  close(): Promise<void>
}

/** Starts Prometheus with the rules of docs/grafana. It scrapes one gateway twice a second. */
export async function startPrometheus(target: { readonly port: number; readonly token: string }): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), "mdm-prometheus-"))
  const port = await findFreePort()
  writeFileSync(
    join(dir, "prometheus.yml"),
    JSON.stringify({
      global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "1s" },
      rule_files: [join(GRAFANA, "alerts.yml")],
      scrape_configs: [
        {
          job_name: "majordomo",
          authorization: { credentials: target.token },
          static_configs: [{ targets: [`127.0.0.1:${target.port}`] }],
        },
      ],
    }),
  )
  execFileSync("promtool", ["check", "config", join(dir, "prometheus.yml")], { stdio: "pipe" })
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(dir, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"], cwd: dir },
  )
  await untilReady(child, port)

  async function get<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(query)}`)
    const body = (await response.json()) as { status: string; error?: string; data: T }
    if (body.status !== "success") throw new Error(`${path} ${JSON.stringify(query)}: ${body.error}`)
    return body.data
  }
  const evaluate = async (query: string) => (await get<{ result: never }>("query", { query })).result

  return {
    get,
    query: evaluate,
    samples: evaluate,
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits for the line of its log that says so. */
function untilReady(child: ChildProcess, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ""
    child.stderr!.on("data", (bytes: Buffer) => {
      log = (log + bytes).slice(-20_000)
      if (log.includes("Server is ready to receive web requests")) resolve()
    })
    child.once("exit", (code) => reject(new Error(`prometheus on port ${port} ended with ${code}: ${log}`)))
  })
}
