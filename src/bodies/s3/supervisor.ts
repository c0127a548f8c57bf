import type { SpoolFile } from "./files.ts"
import type { FromUploader } from "./progress.ts"
import { startUploads, type UploadThread } from "./thread.ts"
import type { UploaderData } from "./worker.ts"

/** Changes of files are sent to the thread at most this much later, several at a time. */
const SEND_INTERVAL_MS = 5
const RESTART_DELAY_MS = 1000

interface SupervisorOptions {
  readonly data: UploaderData
  readonly workerUrl: URL | null | undefined
  /** All files that wait. */
  files(): readonly SpoolFile[]
  onMessage(message: FromUploader): void
  /** The thread has ended by itself. The next one starts with every file from its beginning. */
  onDied(reason: string): void
}

/** Keeps an upload thread running, and reports changes of files to it. */
export class UploadSupervisor {
  private readonly options: SupervisorOptions
  private readonly changed = new Map<string, SpoolFile>()
  private thread: UploadThread
  private sendTimer: NodeJS.Timeout | undefined = undefined
  private restartTimer: NodeJS.Timeout | undefined = undefined
  private isClosed = false

  constructor(options: SupervisorOptions) {
    this.options = options
    this.thread = this.start()
  }

  /** A file has grown, or is sealed. Cheap. */
  fileChanged(file: SpoolFile): void {
    if (this.isClosed) return
    this.changed.set(file.name, file)
    this.sendTimer ??= setTimeout(() => this.sendChanges(), SEND_INTERVAL_MS)
  }

  /** Uploads what waits without further delay. */
  hurry(): void {
    this.sendChanges()
    this.thread.send({ type: "hurry" })
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.sendTimer)
    clearTimeout(this.restartTimer)
    await this.thread.close()
  }

  private start(): UploadThread {
    const { data, workerUrl, files, onMessage, onDied } = this.options
    const thread = startUploads({
      data,
      workerUrl,
      onMessage,
      onDied: (reason) => {
        if (this.isClosed) return
        onDied(reason)
        this.restartTimer = setTimeout(() => {
          this.thread = this.start()
        }, RESTART_DELAY_MS)
      },
    })
    const waiting = files()
    if (waiting.length > 0) thread.send({ type: "files", files: waiting })
    return thread
  }

  private sendChanges(): void {
    clearTimeout(this.sendTimer)
    this.sendTimer = undefined
    const files = [...this.changed.values()]
    this.changed.clear()
    if (files.length > 0) this.thread.send({ type: "files", files })
  }
}
