import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { canRun, inNamespaces } from "../support/namespaces.ts"

const CHILD = fileURLToPath(new URL("ports.child.ts", import.meta.url))
const TYPESCRIPT = new URL("../../bench/_typescript.mjs", import.meta.url).href
const PORTS = 200
const FEW_PORTS = inNamespaces(
  ["--net"],
  `ip link set lo up && echo "40000 ${40_000 + PORTS - 1}" > /proc/sys/net/ipv4/ip_local_port_range`,
)

// A network namespace requires root. Without it, CON-08 (no file descriptors) is the closest test.
test.skipIf(!canRun(FEW_PORTS))(
  "[CON-07] when there are no free ports towards a provider, further requests get 502 with a code, running responses finish, and the gateway recovers",
  async () => {
    const [command = "", ...args] = [...FEW_PORTS, process.execPath, "--import", TYPESCRIPT, CHILD]
    const { stdout, stderr } = await promisify(execFile)(command, args)
    expect(stderr.replace(/.*ExperimentalWarning[\s\S]*/, "")).toBe("")
    const { during, refused, open } = JSON.parse(stdout) as {
      during: Record<string, number>
      refused: string
      open: number
    }
    expect(Object.keys(during).sort()).toEqual(["200", "502"])
    expect(during["200"]! + during["502"]!).toBe(300)
    expect(during["200"]).toBeLessThanOrEqual(PORTS)
    expect(during["200"]).toBeGreaterThan(PORTS / 2)
    expect(refused).toContain('"code":"provider_unreachable"')
    expect(refused).not.toMatch(/127\.0\.0|EADDRNOTAVAIL/)
    expect(open).toBe(0)
  },
)
