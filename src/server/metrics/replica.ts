import type { ReplicaState } from "../../database/replica/replica.ts"
import { gauge, type Metric } from "../prometheus.ts"

export function toReplicaMetrics(replica: ReplicaState | undefined): Metric[] {
  if (replica === undefined) return []
  const { isUsed, lagMs } = replica
  const unused = gauge(
    "majordomo_replica_unused",
    "1 while reports are read from the primary, because the replica of storage.postgres.read_url cannot be used.",
    isUsed ? 0 : 1,
  )
  const lag = gauge(
    "majordomo_replica_lag_seconds",
    "How far the replica is behind the primary; absent while that is not known.",
    (lagMs ?? 0) / 1000,
  )
  return [{ ...unused, together: "max" }, ...(lagMs === undefined ? [] : [{ ...lag, together: "max" } as const])]
}
