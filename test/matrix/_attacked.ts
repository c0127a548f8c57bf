import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./bounds.child.ts"

const CHILD = fileURLToPath(new URL("bounds.child.ts", import.meta.url))
const TYPESCRIPT = new URL("../../bench/_typescript.mjs", import.meta.url).href

/** A gateway in a process of its own. */
export interface AttackedGateway {
  readonly port: number
  /** Returns what the gateway measured since the last call. */
  measure(): Promise<Measurement>
  stop(): Promise<void>
}

/** Starts a gateway in a process of its own, which measures its stalls and its memory. */
export async function startAttacked(upstream: string): Promise<AttackedGateway> {
  const child = fork(CHILD, [upstream], { execArgv: ["--import", TYPESCRIPT] })
  const measure = async (): Promise<Measurement> => {
    const answer = once(child, "message")
    child.send("measure")
    return (await answer)[0] as Measurement
  }
  const { port } = await measure()
  return {
    port,
    measure,
    async stop() {
      const exited = once(child, "exit")
      child.kill()
      await exited
    },
  }
}
