import { fetchOwnPage, readReadiness } from "../gateway-client.ts"
import type { Attention } from "../status/attention.ts"
import { type Finding, findingsOf, toRecordFindings } from "./finding.ts"

const TIMEOUT_MS = 5_000

interface Asked {
  /** The origin of the gateway. */
  readonly origin: string
  /** The version of this program. */
  readonly version: string
  /** Asks the gateway for its status. Rejects with a CommandError that says why that fails. */
  readStatus(): Promise<{ readonly version: string; readonly attention?: readonly Attention[] }>
}

/** Checks a gateway on another machine: whether it answers, is ready, and accepts the token, and what it says about itself. */
export async function examineFromAfar({ origin, version, readStatus }: Asked): Promise<readonly Finding[]> {
  const { ok, warning, problem } = findingsOf("gateway")
  const { status, body } = await fetchOwnPage(origin, "/health", TIMEOUT_MS)
  if (status === undefined) {
    return [
      problem(
        `nothing answers at ${origin}`,
        "correct the address, or let this machine reach it (DNS, firewall, proxy)",
      ),
    ]
  }
  if (status !== 200 || body !== "ok") {
    return [problem(`a program other than the gateway answers at ${origin} (status ${status})`, "correct the address")]
  }
  const ready = await fetchOwnPage(origin, "/readyz", TIMEOUT_MS)
  const { error, warnings } = readReadiness(ready.body)
  const findings = [
    ready.status === 200
      ? ok(`it answers at ${origin} and is ready`)
      : problem(`it answers at ${origin} and is not ready: ${error ?? ready.status}`, "see its log"),
    ...warnings.map((message) => warning(message)),
  ]
  const token = findingsOf("token")
  try {
    const found = await readStatus()
    const isSame = found.version === version
    return [
      ...findings,
      token.ok("the gateway accepts it"),
      isSame
        ? findingsOf("version").ok(version)
        : findingsOf("version").warning(
            `the gateway has ${found.version}, and this program ${version}`,
            "install the same version",
          ),
      ...toRecordFindings(found.attention ?? [], "the gateway says that nothing needs attention"),
    ]
  } catch (thrown) {
    return [...findings, token.problem((thrown as Error).message)]
  }
}
