import type { Call, Ending } from "../core/call.ts"
import type { Billing } from "../core/cost.ts"
import { NO_READING, NO_USAGE, type Usage } from "../core/usage.ts"
import { uuidV7 } from "../kit/uuid.ts"
import { findIncident } from "./incidents.ts"
import { PROFILES, type Profile, TEAMS, type Team } from "./profiles.ts"
import { createRandom, type Random } from "./random.ts"

/** An invented request of the past 30 days. */
export interface Sample {
  readonly team: Team
  readonly call: Call
  readonly provider: string
  readonly billing: Billing | undefined
  readonly requestedModel: string
  readonly ending: Ending
}

const DAY_MS = 86_400_000
/** The weight of each hour of the day (UTC). */
const HOURS = [1, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 9, 11, 12, 11, 10, 8, 6, 5, 4, 3, 2, 1]

/**
 * Creates 30 days of a small company's requests up to `nowMs`: four teams with features, users and agent runs. There is
 * less traffic at night and on weekends, and it grows a little. Some requests fail, some streams are aborted, one model has
 * no price, some are paid by a subscription, and on three days something goes wrong (`incidents.ts`). The result is the same for the same `nowMs`, except for the ids.
 */
export function sampleDays(nowMs: number, days = 30): Sample[] {
  const samples: Sample[] = []
  const today = Math.floor(nowMs / DAY_MS)
  const isPast = ({ call, ending }: Sample) => ending.respondedAt < nowMs && call.receivedAt > nowMs - days * DAY_MS
  for (let day = today - days; day <= today; day++) {
    const random = createRandom(day)
    const weekday = new Date(day * DAY_MS).getUTCDay()
    const volume = (weekday === 0 ? 0.25 : weekday === 6 ? 0.35 : 1) * (1 + (day - today) / (3 * days))
    for (const profile of PROFILES) {
      const count = Math.round(profile.perDay * volume * random.between(0.8, 1.2))
      for (let i = 0; i < count; i += Math.max(1, profile.steps.length)) {
        const hour = random.weighted(HOURS)
        const incident = findIncident({ ...profile, daysAgo: today - day, hour })
        const input = { profile, incident, hourMs: day * DAY_MS + hour * 3_600_000 }
        const made = profile.steps.length === 0 ? [toSample(input, random)] : toRun(input, random)
        samples.push(...made.filter(isPast))
      }
    }
  }
  return samples.sort((one, other) => one.ending.respondedAt - other.ending.respondedAt)
}

/** Returns the requests of one run of an agent: its steps, one after the other, below the first. */
function toRun(input: SampleInput, random: Random): Sample[] {
  const { feature } = input.profile
  const [first, ...others] = input.profile.steps
  const repeated = Array.from({ length: input.incident.repeats }, () => others.slice(0, -1)).flat()
  const steps = [first!, ...repeated, others.at(-1)!]
  const samples: Sample[] = []
  for (const [index, step] of steps.entries()) {
    const root = samples[0]?.call
    const previous = samples.at(-1)?.ending
    const sample = toSample(
      {
        ...input,
        receivedAt: previous && previous.respondedAt + Math.round(random.between(50, 3_000)),
        user: root?.metadata["User-Id"],
      },
      random,
    )
    const trace = root?.metadata["Trace-Id"] ?? `${feature}-${sample.call.receivedAt.toString(36)}`
    const path = index === 0 ? feature : `${feature}/${step}`
    const metadata = { ...sample.call.metadata, Step: step, "Trace-Id": trace, "Span-Path": path, "Span-Name": step }
    samples.push({ ...sample, call: { ...sample.call, metadata } })
  }
  return samples
}

interface SampleInput {
  readonly profile: Profile
  readonly incident: ReturnType<typeof findIncident>
  readonly hourMs: number
  /** In ms since the epoch; without it, somewhere in the hour. */
  readonly receivedAt?: number | undefined
  readonly user?: string | undefined
}

function toSample({ profile, incident, hourMs, ...given }: SampleInput, random: Random): Sample {
  const receivedAt = given.receivedAt ?? hourMs + Math.floor(random.between(0, 3_600_000))
  const chance = random.between(0, 1)
  const made = chance < incident.failing ? createFailure(random) : createSuccess(profile, random, chance > 0.99)
  const ending = { ...made, ms: made.ms * incident.slower }
  const someone = `user-${String(1 + Math.floor(profile.users * random.between(0, 1) ** 2)).padStart(3, "0")}`
  const user = given.user ?? someone
  const metadata: Record<string, string> = { Client: profile.client, Feature: profile.feature, "User-Id": user }
  if (profile.sessions) metadata["Session-Id"] = `${user}-${Math.floor(receivedAt / 1_800_000).toString(36)}`
  return {
    team: TEAMS[profile.team],
    provider: profile.provider,
    billing: profile.billing,
    requestedModel: profile.model,
    call: {
      id: uuidV7(receivedAt),
      receivedAt,
      method: "POST",
      path: profile.path,
      query: "",
      rawHeaders: [],
      headers: {},
      metadata,
      body: Buffer.alloc(0),
    },
    ending: { ...ending, respondedAt: receivedAt + ending.ms, streamed: profile.streamed },
  }
}

type TimedEnding = Omit<Ending, "respondedAt" | "streamed"> & { readonly ms: number }

function createFailure(random: Random): TimedEnding {
  const isBusy = random.between(0, 1) < 0.7
  return {
    ms: Math.round(random.between(40, 400)),
    outcome: "complete",
    statusCode: isBusy ? 429 : 500,
    firstByteMs: 38,
    error: isBusy ? "Rate limit reached" : "The server had an error while processing your request",
    reading: NO_READING,
  }
}

function createSuccess(profile: Profile, random: Random, isAborted: boolean): TimedEnding {
  const usage = toUsage(profile, random)
  const out = usage.output + usage.reasoning
  const firstByteMs = Math.round(random.between(180, 900) + usage.reasoning * 4)
  const hasLeft = isAborted && profile.streamed
  const input = usage.input + usage.cacheRead + usage.cacheWrite + usage.cacheWrite1h
  return {
    ms: firstByteMs + Math.round(out * random.between(6, 14)),
    outcome: hasLeft ? "client_left" : "complete",
    statusCode: 200,
    firstByteMs,
    error: undefined,
    reading: {
      ...NO_READING,
      model: profile.responseModel,
      parts: [{ model: profile.responseModel, usage, contextTokens: input, role: "answer" }],
      source: hasLeft ? "estimated" : "reported",
      raw: { demo: true },
    },
  }
}

function toUsage({ input, output, cached, written, reasoning }: Profile, random: Random): Usage {
  const all = Math.round(random.between(...input))
  const out = Math.round(random.between(...output))
  const cacheRead = Math.round(all * cached * random.between(0.7, 1))
  const write = Math.round(all * written * random.between(0.5, 1))
  const thought = Math.round(out * reasoning * random.between(0.6, 1))
  return {
    ...NO_USAGE,
    input: all - cacheRead - write,
    cacheRead,
    cacheWrite: write,
    output: out - thought,
    reasoning: thought,
  }
}
