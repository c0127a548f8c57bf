const PROGRESS_MS = 1000
const MAX_REASONS = 10

const withThousands = (count: number) => count.toLocaleString("en-US")

/** Says how far an export is, and which requests are left out. */
export function createExportLog({ log, now }: { log(line: string): void; now(): number }) {
  let exported = 0
  let missing = 0
  let loggedAt = now()
  return {
    onExported(total: number): void {
      exported++
      if (now() - loggedAt < PROGRESS_MS) return
      loggedAt = now()
      log(`${withThousands(exported)} of ${withThousands(total)} requests exported`)
    },
    onMissing(reason: string): void {
      missing++
      if (missing <= MAX_REASONS) log(`left out: ${reason}`)
      if (missing === MAX_REASONS) log("further requests that are left out are only counted")
    },
    end(): void {
      const rest = missing === 0 ? "" : `; ${withThousands(missing)} left out, because their bodies cannot be read`
      log(`${withThousands(exported)} ${exported === 1 ? "request" : "requests"} exported${rest}`)
    },
  }
}
