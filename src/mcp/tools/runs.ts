import { runs } from "../../api/routes/runs.ts"
import { defineTool } from "../_tool.ts"
import { limitedList, STEPS_OF_TREE } from "../paging.ts"
import { count, inUsd, listed, quote } from "../words.ts"

/** The questions about runs of agents. */
export const runTools = [
  defineTool({
    name: "list_runs",
    title: "Agent runs",
    description:
      "Runs of agents with their cost: a run is all requests with one trace id, or with one session id (such as a session of Claude Code). The newest first; sort=cost gives the most expensive first. Filters choose runs by their requests. The period is the last 7 days unless it is given. total_cost is USD as exact decimal text, and null if it is not known.",
    route: runs.list,
    paging: { noun: "runs", initial: 20, max: 100, wrap: "runs", read: limitedList("runs") },
    summarize: (answer) => listed((answer as unknown as { runs: readonly unknown[] }).runs, "run", answer.next),
  }),
  defineTool({
    name: "get_run_tree",
    title: "One agent run",
    description:
      "One run as a tree: spans (agents and tools, from the span path of each request) with the sums of everything below them, and their requests as steps, in the order in which they started. It takes the trace that list_runs shows. A long run has further pages of steps; the sums of the spans are whole in each page.",
    route: runs.get,
    paging: { noun: "steps", initial: 50, max: 200, read: STEPS_OF_TREE },
    summarize: ({ trace, requests, total_cost, duration_ms, next }) =>
      `Run ${quote(trace)}: ${count(requests, "request")} in ${(duration_ms / 1000).toFixed(1)} s, ${inUsd(total_cost)}.${next ? ` More steps with cursor ${quote(next)}.` : ""}`,
  }),
]
