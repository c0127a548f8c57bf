import { expiresSoon, type Key } from "../kit/manage.ts"
import { MaybeMoment } from "../parts/value.tsx"

/** When a key expires, with a warning in its last 14 days. */
export function Expiry({ of: { expires_at, status }, tz }: { readonly of: Key; readonly tz: string }) {
  return (
    <>
      <MaybeMoment iso={expires_at} tz={tz} none="never" />
      {status === "active" && expiresSoon(expires_at) && <span class="mark mark-warn aside">soon</span>}
    </>
  )
}
