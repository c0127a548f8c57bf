import type { BodyStats } from "../bodies/index.ts"
import { counter, gauge, type Metric } from "./prometheus.ts"

/** Returns the metrics of stored bodies. For S3, kept = uploaded + waiting + lost; in the database they are in their row. */
export function toBodyMetrics(stats: BodyStats | undefined): Metric[] {
  if (stats === undefined) return []
  return [
    counter(
      "majordomo_bodies_kept_total",
      "Requests whose row says where their bodies are.",
      stats.kept,
      stats.waiting,
    ),
    counter("majordomo_bodies_uploaded_total", "Requests whose bodies are in S3.", stats.uploaded),
    gauge("majordomo_bodies_waiting", "Requests whose bodies wait for S3.", stats.waiting),
    counter(
      "majordomo_bodies_lost_total",
      "Requests whose kept bodies cannot be uploaded any more; their rows are corrected.",
      stats.lost,
    ),
    counter(
      "majordomo_bodies_dropped_total",
      "Requests whose bodies were not kept, because there was no room or no disk.",
      stats.dropped,
    ),
    counter("majordomo_bodies_cut_total", "Bodies of which only the beginning is stored.", stats.truncated),
    gauge("majordomo_bodies_memory_bytes", "Bytes of bodies in memory.", stats.memoryBytes),
    gauge("majordomo_bodies_disk_bytes", "Bytes of bodies that wait on the disk.", stats.diskBytes),
    {
      ...gauge("majordomo_bodies_in_trouble", "1 while the last upload to S3 failed.", stats.lastError ? 1 : 0),
      together: "max",
    },
  ]
}
