import type { View } from "../view.ts"
import { Overview } from "./overview.tsx"

/** The pages, in the order of the navigation. */
export const VIEWS: readonly View[] = [
  { name: "", title: "Overview", group: "Usage", key: "o", isFiltered: true, Page: Overview },
]
