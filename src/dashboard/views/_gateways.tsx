import { formatCount, formatExactMoment } from "../kit/format.ts"
import type { Gateways } from "../kit/manage.ts"

interface GatewaysProps {
  readonly gateways: Gateways
  readonly tz: string
  /** The verb of the sentence: gateways accept an API key, and use a provider key. */
  readonly verb?: "accept" | "use"
}

/** Which gateways know that a key is revoked, and which may still accept or use it. */
export function GatewayAnswers({ gateways: { acknowledged, silent }, tz, verb = "accept" }: GatewaysProps) {
  return (
    <>
      {(acknowledged.length > 0 || silent.length === 0) && (
        <p class="gateways">{toSentence(acknowledged.length, verb)}</p>
      )}
      {silent.length > 0 && (
        <div class="gateways is-warned">
          <p>
            {`These gateways did not answer. While they cannot reach the database, they may ${verb} the key. Stop them if that must not be.`}
          </p>
          <ul>
            {silent.map(({ name, last_seen_at, accepts_until }) => (
              <li key={name}>
                <bdi>{name}</bdi>
                {`: last seen ${formatExactMoment(last_seen_at, tz)}; may ${verb} it ${
                  accepts_until === null ? "without a limit" : `until ${formatExactMoment(accepts_until, tz)}`
                }`}
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  )
}

function toSentence(count: number, verb: "accept" | "use"): string {
  if (count === 0) return "No gateway is running."
  return count === 1
    ? `The running gateway no longer ${verb}s the key.`
    : `${formatCount(count)} running gateways no longer ${verb} the key.`
}
