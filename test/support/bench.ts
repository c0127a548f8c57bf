/** The parts of the benchmark that start and measure processes, for tests that put real load on the built program. */
export interface BenchProcesses {
  /** Starts one of the benchmark's scripts. `fake-provider.mjs` takes the script of its responses as JSON. */
  startScript(
    script: string,
    options?: { readonly args?: readonly string[]; readonly typescript?: boolean },
  ): Promise<BenchScript>
  startLoad(): { run(job: LoadJob): Promise<LoadCounts>; stop(): Promise<void> }
  /** Returns the CPU time of a process and its children so far. */
  cpuMs(pid: number): number
  rssBytes(pid: number): number
}

export interface BenchScript {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

export interface LoadJob {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly connections: number
  readonly durationMs: number
  readonly once?: boolean
  readonly perSecond?: number
}

export interface LoadCounts {
  readonly requests: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const PROCESSES = new URL("../../bench/_processes.mjs", import.meta.url).href

export async function loadBench(): Promise<BenchProcesses> {
  return (await import(PROCESSES)) as BenchProcesses
}

/** A gateway that the benchmark compares with ours. */
export interface BenchRival {
  readonly name: string
  readonly pid: number
  readonly port: number
  readonly path?: string
  readonly headers: Readonly<Record<string, string>>
  countRows(): Promise<number | undefined>
  stop(): Promise<void>
}

interface BenchRivals {
  startRival(
    rival: { readonly name: string; readonly dir: string },
    where: { readonly origin: string; readonly databaseUrl: string; readonly directory: string },
  ): Promise<BenchRival>
}

export async function loadRivals(): Promise<BenchRivals> {
  return (await import(new URL("../../bench/_rival.mjs", import.meta.url).href)) as BenchRivals
}
