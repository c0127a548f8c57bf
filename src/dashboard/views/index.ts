import { toPlural } from "../kit/usage.ts"
import type { View } from "../view.ts"
import { Audit } from "./audit.tsx"
import { Bill } from "./bill.tsx"
import { By } from "./by.tsx"
import { Key } from "./key.tsx"
import { Keys } from "./keys.tsx"
import { Limits } from "./limits.tsx"
import { Notifications } from "./notifications.tsx"
import { Overview } from "./overview.tsx"
import { ModelPrice } from "./price.tsx"
import { Prices } from "./prices.tsx"
import { ProviderKeys } from "./provider-keys.tsx"
import { Request } from "./request.tsx"
import { Requests } from "./requests.tsx"
import { Run } from "./run.tsx"
import { Runs } from "./runs.tsx"
import { StatusPage } from "./status.tsx"
import { Tokens } from "./tokens.tsx"

/** The pages, in the order of the navigation. */
export const VIEWS: readonly View[] = [
  { name: "", title: "Overview", group: "Usage", key: "o", isFiltered: true, Page: Overview },
  {
    name: "by",
    title: "Values",
    titleOf: (params) => toPlural(params.get("name") ?? "model"),
    parent: "",
    isFiltered: true,
    Page: By,
  },
  { name: "requests", title: "Requests", group: "Usage", key: "r", isFiltered: true, Page: Requests },
  { name: "request", title: "Request", parent: "requests", Page: Request },
  { name: "runs", title: "Runs", group: "Usage", key: "a", isFiltered: true, Page: Runs },
  { name: "run", title: "Run", parent: "runs", Page: Run },
  { name: "bill", title: "Bill", group: "Usage", key: "b", Page: Bill },
  { name: "keys", title: "Keys", group: "Manage", key: "k", Page: Keys },
  { name: "key", title: "Key", parent: "keys", Page: Key },
  { name: "limits", title: "Limits", group: "Manage", key: "l", Page: Limits },
  { name: "provider-keys", title: "Provider keys", group: "Manage", key: "v", Page: ProviderKeys },
  { name: "tokens", title: "Tokens", group: "Manage", key: "t", Page: Tokens },
  { name: "prices", title: "Prices", group: "Manage", key: "p", Page: Prices },
  { name: "price", title: "Price", parent: "prices", Page: ModelPrice },
  { name: "status", title: "Status", group: "System", key: "s", Page: StatusPage },
  { name: "notifications", title: "Notifications", group: "System", key: "n", Page: Notifications },
  { name: "audit", title: "Audit", group: "System", key: "u", Page: Audit },
]
