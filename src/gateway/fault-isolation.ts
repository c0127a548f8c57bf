import { NO_READING, type Reading } from "../core/usage.ts"
import type { Dialect } from "../providers/_dialect.ts"
import { framingOf } from "../providers/_framing.ts"
import type { Meter } from "../providers/_meter.ts"
import type { BodyCapture } from "./body-capture.ts"
import type { Deps } from "./deps.ts"

/** Receives the error of a bug. The request continues without what failed. */
type Report = (error: unknown) => void

/**
 * Returns the same dependencies, but a bug in code that only observes a request costs no more than the result of that
 * code: usage, a stored body, the message of an error. The answer, the row and the process are not affected.
 */
export function isolateFaults(deps: Deps): Deps {
  const { openBodies, openMessages, countText } = deps
  const dialects = Object.entries(deps.dialects).map(([format, dialect]) => {
    const report: Report = (error) => deps.onError(error, `dialect ${format}`)
    return [format, isolateDialect(dialect, report)]
  })
  const reportBodies: Report = (error) => deps.onError(error, "bodies")
  return {
    ...deps,
    dialects: Object.fromEntries(dialects) as Deps["dialects"],
    ...(openBodies && {
      openBodies: (call, caller, messages) => {
        const capture = attempt(() => openBodies(call, caller, messages), undefined, reportBodies)
        return capture && new IsolatedCapture(capture, reportBodies)
      },
    }),
    ...(openMessages && { openMessages: (call) => attempt(() => openMessages(call), undefined, reportBodies) }),
    ...(countText && {
      countText: (countable) =>
        countText(countable).catch((error: unknown) => void deps.onError(error, "counting text")),
    }),
  }
}

function isolateDialect(dialect: Dialect, report: Report): Dialect {
  return {
    ...dialect,
    ...(dialect.load && { load: () => dialect.load!()?.catch(report) }),
    framing: (request, head) => attempt(() => dialect.framing(request, head), undefined, report) ?? framingOf(head),
    createMeter: (request, framing, sink, headers) => {
      const meter = attempt(() => dialect.createMeter(request, framing, sink, headers), undefined, report)
      return meter && new IsolatedMeter(meter, report)
    },
    retryWithout: (statusCode, body) => attempt(() => dialect.retryWithout(statusCode, body), false, report),
    readCredential: (request) => attempt(() => dialect.readCredential(request), undefined, report),
    readErrorMessage: (body) => attempt(() => dialect.readErrorMessage(body), undefined, report),
    isFree: (request) => attempt(() => dialect.isFree(request), false, report),
  }
}

class IsolatedMeter implements Meter {
  private meter: Meter | undefined
  private readonly report: Report

  constructor(meter: Meter, report: Report) {
    this.meter = meter
    this.report = report
  }

  push(bytes: Uint8Array): void {
    try {
      this.meter?.push(bytes)
    } catch (error) {
      this.meter = undefined
      this.report(error)
    }
  }

  get error(): string | undefined {
    return this.meter?.error
  }

  get generatedTokens(): number {
    return attempt(() => this.meter?.generatedTokens, undefined, this.report) ?? 0
  }

  end(options: { readonly complete: boolean }): Reading {
    return attempt(() => this.meter?.end(options), undefined, this.report) ?? NO_READING
  }
}

/** A capture that keeps nothing once it has failed: half a body would look like a whole one. */
class IsolatedCapture implements BodyCapture {
  private capture: BodyCapture | undefined
  private readonly report: Report

  constructor(capture: BodyCapture, report: Report) {
    this.capture = capture
    this.report = report
  }

  push(bytes: Buffer): void {
    this.try((capture) => capture.push(bytes))
  }

  restart(): void {
    this.try((capture) => capture.restart())
  }

  finish(answer: Parameters<BodyCapture["finish"]>[0]): ReturnType<BodyCapture["finish"]> {
    return this.try((capture) => capture.finish(answer)) ?? {}
  }

  private try<T>(work: (capture: BodyCapture) => T): T | undefined {
    try {
      return this.capture && work(this.capture)
    } catch (error) {
      this.capture = undefined
      this.report(error)
      return undefined
    }
  }
}

/** Returns the result of `work`, or `otherwise` when it throws; the error is reported. */
function attempt<T>(work: () => T, otherwise: T, report: Report): T {
  try {
    return work()
  } catch (error) {
    report(error)
    return otherwise
  }
}
