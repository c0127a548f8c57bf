import { CommandError } from "../../../core/errors.ts"

/**
 * Why a sign-in at the provider failed. The sign-in page explains each: `stale` (begun in another browser, or too long ago),
 * `denied` (the provider says so), `provider` (it cannot be reached, or its answer is not valid), `unverified` and `domain`
 * (the e-mail address), and `role` (no role for this person).
 */
type OidcReason = "stale" | "denied" | "provider" | "unverified" | "domain" | "role"

/** A person cannot sign in at the provider. The message is for the audit log. */
export class OidcError extends CommandError {
  readonly reason: OidcReason

  constructor(reason: OidcReason, detail: string) {
    super(detail.slice(0, 300))
    this.reason = reason
  }
}
