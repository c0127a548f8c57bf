import type { BodyStats } from "../bodies/index.ts"
import { counter, gauge, type Metric } from "./prometheus.ts"

/** kept = uploaded + waiting + lost, where bodies go to S3; in the database they are there with their row. */
export function toBodyMetrics(stats: BodyStats | undefined): Metric[] {
  if (stats === undefined) return []
  return [
    counter("majordomo_bodies_kept_total", "Requests whose row says where their bodies are.", stats.kept),
    counter("majordomo_bodies_uploaded_total", "Of them, those that S3 has.", stats.uploaded),
    gauge("majordomo_bodies_waiting", "Of them, those that wait for S3.", stats.waiting),
    counter(
      "majordomo_bodies_lost_total",
      "Of them, those that never came to S3; their rows are corrected.",
      stats.lost,
    ),
    counter("majordomo_bodies_dropped_total", "Requests for whose bodies there was no room.", stats.dropped),
    counter("majordomo_bodies_cut_total", "Bodies of which only the beginning is kept.", stats.truncated),
    gauge("majordomo_bodies_memory_bytes", "Bytes of bodies in memory.", stats.memoryBytes),
    gauge("majordomo_bodies_disk_bytes", "Bytes of bodies that wait on disk.", stats.diskBytes),
    {
      ...gauge("majordomo_bodies_in_trouble", "1 while the last upload to S3 has failed.", stats.lastError ? 1 : 0),
      together: "max",
    },
  ]
}
