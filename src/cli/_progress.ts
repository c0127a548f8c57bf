import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import { toBar } from "./_table.ts"
import { withThousands } from "./_text.ts"

interface Progress {
  update(done: number, total: number): void
  /** Removes the line. */
  end(): void
}

const REDRAW_MS = 100
const WIDTH = 24

/** Shows progress on a line of the terminal, which is redrawn. If stderr is no terminal, nothing is shown. */
export function createProgress(noun: string): Progress {
  const { noColor } = readRuntimeEnvironment()
  if (process.stderr.isTTY !== true || noColor) return { update: () => {}, end: () => {} }
  let drawnAt = Number.NEGATIVE_INFINITY
  let isDrawn = false
  return {
    update(done, total) {
      const now = performance.now()
      if (now - drawnAt < REDRAW_MS && done < total) return
      drawnAt = now
      isDrawn = true
      process.stderr.write(`\r${toProgressLine(done, total, noun)}\u001b[K`)
    },
    end() {
      if (isDrawn) process.stderr.write("\r\u001b[K")
      isDrawn = false
    },
  }
}

/** Does the same for bytes, which are shown in MB. */
export function createByteProgress(): Progress {
  const { update, end } = createProgress("MB")
  const toMegabytes = (bytes: number) => Math.ceil(bytes / 1_000_000)
  return { update: (done, total) => update(toMegabytes(done), toMegabytes(total)), end }
}

/** Returns a bar, a share and the numbers: `██████▌                   27%  1,350,000 of 5,000,000 requests` */
export function toProgressLine(done: number, total: number, noun: string): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const percent = `${Math.floor(share * 100)}%`.padStart(4)
  return `${toBar(share, WIDTH).padEnd(WIDTH)} ${percent}  ${withThousands(done)} of ${withThousands(total)} ${noun}`
}
