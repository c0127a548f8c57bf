import { type AgentUsage, BILLING, type EventAttributes, readText } from "./agent-usage.ts"

/** The attributes that SDKs add to a resource by themselves, which say nothing about whose usage it is. */
const OF_MACHINE = /^(?:service|host|os|telemetry|process|wsl|container|k8s|cloud|device)\.|^env$/
const NAME = /^[A-Za-z0-9._-]{1,128}$/

/**
 * Returns the metadata that a report names beside its user and session: the attributes that an operator gave to the
 * resource (`OTEL_RESOURCE_ATTRIBUTES=team.id=platform` is `Team-Id: platform`), and the user's address.
 */
export function toReportedMetadata(
  { email }: Pick<AgentUsage, "email">,
  resource: EventAttributes,
): readonly (readonly [name: string, value: string])[] {
  const given = Object.keys(resource).flatMap((name) => {
    const value = readText(resource, name)
    return value === undefined || name === BILLING || OF_MACHINE.test(name) || !NAME.test(name)
      ? []
      : [[name.replace(/[._]/g, "-"), value] as const]
  })
  return email === undefined ? given : [...given, ["User-Email", email]]
}
