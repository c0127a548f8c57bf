import { NO_READING } from "../core/usage.ts"
import type { Dialect, Meter } from "../providers/_dialect.ts"
import type { BodyCapture } from "./body-capture.ts"
import type { Deps } from "./deps.ts"

/** Hears of a bug; the request goes on without what it broke. */
type Tell = (error: unknown) => void

/**
 * The same world, but a bug in what only reads along costs a request what it would have read: its usage, its stored
 * body, its error's words. Not its answer, nor its row, nor the process.
 */
export function isolateFaults(deps: Deps): Deps {
  const guardDialect = (dialect: Dialect): Dialect => {
    const tell = (error: unknown) => deps.onError(error, `dialect ${dialect.format}`)
    return {
      ...dialect,
      createMeter: (exchange, head) => {
        const meter = attempt(() => dialect.createMeter(exchange, head), undefined, tell)
        return meter && new IsolatedMeter(meter, tell)
      },
      readCredential: (exchange) => attempt(() => dialect.readCredential(exchange), undefined, tell),
      readErrorMessage: (body) => attempt(() => dialect.readErrorMessage(body), undefined, tell),
      isFree: (exchange) => attempt(() => dialect.isFree(exchange), false, tell),
    }
  }
  const { openBodies, countText } = deps
  const tellBodies = (error: unknown) => deps.onError(error, "bodies")
  return {
    ...deps,
    dialects: {
      openai: guardDialect(deps.dialects.openai),
      anthropic: guardDialect(deps.dialects.anthropic),
      gemini: guardDialect(deps.dialects.gemini),
    },
    ...(openBodies && {
      openBodies: (call, caller) => {
        const capture = attempt(() => openBodies(call, caller), undefined, tellBodies)
        return capture && new IsolatedCapture(capture, tellBodies)
      },
    }),
    ...(countText && {
      countText: (countable) =>
        countText(countable).catch((error: unknown) => void deps.onError(error, "counting text")),
    }),
  }
}

class IsolatedMeter implements Meter {
  private meter: Meter | undefined
  private readonly tell: Tell

  constructor(meter: Meter, tell: Tell) {
    this.meter = meter
    this.tell = tell
  }

  push(bytes: Uint8Array): void {
    try {
      this.meter?.push(bytes)
    } catch (error) {
      this.meter = undefined
      this.tell(error)
    }
  }

  end(how: { readonly complete: boolean }) {
    return attempt(() => this.meter?.end(how), undefined, this.tell) ?? NO_READING
  }
}

/** One that failed keeps nothing: half a body would look like a whole one. */
class IsolatedCapture implements BodyCapture {
  private capture: BodyCapture | undefined
  private readonly tell: Tell

  constructor(capture: BodyCapture, tell: Tell) {
    this.capture = capture
    this.tell = tell
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
      this.tell(error)
      return undefined
    }
  }
}

function attempt<T>(work: () => T, otherwise: T, tell: Tell): T {
  try {
    return work()
  } catch (error) {
    tell(error)
    return otherwise
  }
}
