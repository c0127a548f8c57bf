import type { ComponentType } from "preact"
import type { Session } from "./kit/api.ts"

/** A page of the dashboard. */
export interface View {
  /** Its path below `/dashboard/`. Empty: the overview. */
  readonly name: string
  readonly title: string
  /** Its title where the address decides about it. */
  readonly titleOf?: (params: URLSearchParams) => string
  /** The group of the navigation that it stands in. Without: it is reached from another view. */
  readonly group?: "Usage" | "Manage" | "System"
  /** The view of the navigation that is marked while this one is open. */
  readonly parent?: string
  /** The key that opens it after `g`. */
  readonly key?: string
  /** The least role that may open it (default: viewer). */
  readonly role?: Session["role"]
  /** It shows requests of a period, so that the period and the filters stand above it. */
  readonly isFiltered?: boolean
  readonly Page: ComponentType<PageProps>
}

export interface PageProps {
  readonly session: Session
}

const ROLES = ["viewer", "auditor", "admin"] as const

/** Whether a role may do what needs at least another one. */
export function isAllowed(role: Session["role"], needed: Session["role"] = "viewer"): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed)
}
