import type { Tool } from "../_tool.ts"
import { catalogTools } from "./catalog.ts"
import { outlookTools } from "./outlook.ts"
import { requestTools } from "./requests.ts"
import { runTools } from "./runs.ts"
import { usageTools } from "./usage.ts"

/** All tools, those that answer the most common questions first. */
export const TOOLS: readonly Tool[] = [...usageTools, ...requestTools, ...runTools, ...outlookTools, ...catalogTools]
