import type { Reading } from "./reader.ts"

export type FromUploader =
  | { readonly type: "log"; readonly level: "info" | "warn" | "error"; readonly line: string }
  | {
      readonly type: "progress"
      readonly uploaded: number
      /** Requests whose objects will never exist; `undefined` for one whose id cannot be read. */
      readonly lost: readonly (string | undefined)[]
      /** Files in which nothing before `bytes` waits. */
      readonly done: readonly FileProgress[]
      /** Why uploads fail now. */
      readonly failure: string | undefined
    }
  | { readonly type: "closed" }

interface FileProgress {
  readonly name: string
  readonly bytes: number
}

const REPORT_INTERVAL_MS = 20

/** Collects what has happened to uploads, and reports it from time to time. */
export class ProgressReport {
  uploaded = 0
  lost: (string | undefined)[] = []
  /** Files that are no longer read. */
  finished: FileProgress[] = []
  private readonly readings: ReadonlyMap<string, Reading>
  private readonly findFailure: () => string | undefined
  private readonly post: (message: FromUploader) => void
  private timer: NodeJS.Timeout | undefined = undefined
  private reportedFailure: string | undefined = undefined

  constructor(
    readings: ReadonlyMap<string, Reading>,
    findFailure: () => string | undefined,
    post: (message: FromUploader) => void,
  ) {
    this.readings = readings
    this.findFailure = findFailure
    this.post = post
  }

  schedule(): void {
    this.timer ??= setTimeout(() => this.send(), REPORT_INTERVAL_MS)
  }

  send(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    const failure = this.findFailure()
    const done = [...this.finished, ...this.findIdleFiles()]
    const { uploaded, lost } = this
    if (uploaded === 0 && lost.length === 0 && done.length === 0 && failure === this.reportedFailure) return
    this.uploaded = 0
    this.lost = []
    this.finished = []
    this.reportedFailure = failure
    this.post({ type: "progress", uploaded, lost, done, failure })
  }

  private findIdleFiles(): FileProgress[] {
    return [...this.readings.values()]
      .filter(({ outstanding, readTo }) => outstanding === 0 && readTo > 0)
      .map(({ file, readTo }) => ({ name: file.name, bytes: readTo }))
  }
}
