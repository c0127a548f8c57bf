import type { Proxies } from "../kit/proxy/proxies.ts"
import type { AttributionSettings } from "./attribution/attribute.ts"

/** Times in milliseconds. */
interface WebSocketSettings {
  /** Whether WebSockets are relayed. */
  readonly enabled: boolean
  /** After this time without a frame, a WebSocket is closed. */
  readonly idleTimeoutMs: number
  /** An older WebSocket is closed when none of its turns is running. */
  readonly maxAgeMs: number
  /** The most WebSockets that are open at the same time. */
  readonly maxOpen: number
}

/** The settings that the pipeline reads; times in milliseconds, sizes in bytes. */
export interface GatewaySettings {
  readonly readTimeoutMs: number
  readonly writeTimeoutMs: number
  readonly maxBodyBytes: number
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
  readonly queueTimeoutMs: number
  readonly maxConnectionAgeMs: number
  /** The proxies through which providers are reached. */
  readonly proxies?: Proxies | undefined
  readonly injectStreamUsage: boolean
  /** Whether addresses of results in answers become the gateway's: as the client called it, or this address. */
  readonly rewriteResultUrls: boolean | string
  /** Whether to bill jobs that no request through a gateway created. */
  readonly foreignJobs: boolean
  /** Clients report their requests too, so that rows must tell which of them passed through the gateway. */
  readonly receivesReports?: boolean
  /** Telemetry asks for the parameters of requests, and for how answers describe themselves: their ids, and why they ended. */
  readonly describesRequests?: boolean
  readonly maxMetadataKeys: number
  readonly maxMetadataValueLength: number
  readonly attribution: AttributionSettings
  readonly websockets: WebSocketSettings
}
