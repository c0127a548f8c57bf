import { formatCount, formatExactMoment } from "../kit/format.ts"
import type { Gateways } from "../kit/manage.ts"

/** Which gateways reject a revoked key from now on, and which may still accept it. */
export function GatewayAnswers({
  gateways: { acknowledged, silent },
  tz,
}: {
  readonly gateways: Gateways
  readonly tz: string
}) {
  return (
    <>
      {(acknowledged.length > 0 || silent.length === 0) && <p class="gateways">{toSentence(acknowledged.length)}</p>}
      {silent.length > 0 && (
        <div class="gateways is-warned">
          <p>
            These gateways did not answer. While they cannot reach the database, they may accept the key. Stop them if
            that must not be.
          </p>
          <ul>
            {silent.map(({ name, last_seen_at, accepts_until }) => (
              <li key={name}>
                <bdi>{name}</bdi>
                {`: last seen ${formatExactMoment(last_seen_at, tz)}; may accept it ${
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

function toSentence(count: number): string {
  if (count === 0) return "No gateway is running, so none had to be told."
  return count === 1
    ? "The running gateway rejects the key from now on."
    : `${formatCount(count)} running gateways reject the key from now on.`
}
