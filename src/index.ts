import { version } from "../package.json"
import type { CommandTable } from "./cli/_commands.ts"
import { runProgram } from "./cli/_program.ts"

/** All commands. Each is loaded only when it is called. */
const COMMANDS: CommandTable = {
  serve: {
    summary: "run the gateway",
    begins: `Majordomo Gateway ${version} is starting (Ctrl-C ends it)`,
    load: () => import("./cli/serve.ts"),
  },
  status: { summary: "whether everything is well, in one screen", load: () => import("./cli/status.ts") },
  verify: { summary: "check that journals, rows and rollups agree", load: () => import("./cli/verify.ts") },
  migrate: { summary: "bring the database's schema up to date", load: () => import("./cli/migrate.ts") },
  backup: { summary: "write the embedded database into one file", load: () => import("./cli/backup.ts") },
  restore: { summary: "replace the embedded database by a backup", load: () => import("./cli/restore.ts") },
  doctor: { summary: "check everything the gateway needs", load: () => import("./cli/doctor.ts") },
  health: {
    summary: "check whether the gateway is ready (for container checks)",
    load: () => import("./cli/health.ts"),
  },
  service: {
    summary: "run the gateway by systemd or launchd",
    commands: {
      print: { summary: "print the service's file", load: () => import("./cli/service/print.ts") },
      install: { summary: "write the service's file", load: () => import("./cli/service/install.ts") },
    },
  },
  keys: {
    summary: "the API keys that clients send as X-Majordomo-Key",
    commands: {
      create: { summary: "create a key and show it once", load: () => import("./cli/keys/create.ts") },
      list: { summary: "all keys, with their use", load: () => import("./cli/keys/list.ts") },
      get: { summary: "one key", load: () => import("./cli/keys/get.ts") },
      update: { summary: "change a key's name or settings", load: () => import("./cli/keys/update.ts") },
      rotate: { summary: "replace a key, and show the new one once", load: () => import("./cli/keys/rotate.ts") },
      revoke: { summary: "reject a key from now on", load: () => import("./cli/keys/revoke.ts") },
    },
  },
  limits: {
    summary: "budgets and rate limits",
    commands: {
      create: { summary: "create a limit", load: () => import("./cli/limits/create.ts") },
      list: { summary: "all limits, with what is left", load: () => import("./cli/limits/list.ts") },
      get: { summary: "one limit, and the use of its values", load: () => import("./cli/limits/get.ts") },
      update: { summary: "change a limit", load: () => import("./cli/limits/update.ts") },
      delete: { summary: "delete a limit", load: () => import("./cli/limits/delete.ts") },
      check: { summary: "which limits apply to a request", load: () => import("./cli/limits/check.ts") },
    },
  },
  "provider-keys": {
    summary: "the keys of providers that the gateway holds for its clients",
    commands: {
      add: { summary: "store a key of a provider, encrypted", load: () => import("./cli/provider-keys/add.ts") },
      list: { summary: "all provider keys, without their secrets", load: () => import("./cli/provider-keys/list.ts") },
      update: { summary: "make a key the default", load: () => import("./cli/provider-keys/update.ts") },
      rotate: { summary: "replace the secret of a key", load: () => import("./cli/provider-keys/rotate.ts") },
      remove: { summary: "delete the secret of a key", load: () => import("./cli/provider-keys/remove.ts") },
    },
  },
  vault: {
    summary: "the key that encrypts provider keys",
    commands: {
      init: { summary: "make it, in a file that only you can read", load: () => import("./cli/vault/init.ts") },
      rotate: { summary: "encrypt everything with another one", load: () => import("./cli/vault/rotate.ts") },
      status: { summary: "which one this machine has", load: () => import("./cli/vault/status.ts") },
    },
  },
  dashboard: { summary: "a link that signs in to the dashboard once", load: () => import("./cli/dashboard.ts") },
  tokens: {
    summary: "the admin tokens of the admin API and the dashboard",
    commands: {
      create: { summary: "create a token and show it once", load: () => import("./cli/tokens/create.ts") },
      list: { summary: "all tokens, with their role and use", load: () => import("./cli/tokens/list.ts") },
      revoke: { summary: "reject a token from now on", load: () => import("./cli/tokens/revoke.ts") },
    },
  },
  audit: {
    summary: "who changed what, when and from where",
    commands: { list: { summary: "the newest changes", load: () => import("./cli/audit/list.ts") } },
  },
  mcp: { summary: "let an assistant ask about usage and cost (MCP over stdio)", load: () => import("./cli/mcp.ts") },
  statusline: { summary: "the status line of Claude Code, with costs", load: () => import("./cli/statusline.ts") },
  login: { summary: "ask a gateway from afar, with an admin token", load: () => import("./cli/login.ts") },
  usage: {
    summary: "what was used, what it cost, and by whom",
    load: () => import("./cli/usage/report.ts"),
    commands: {
      latency: { summary: "how long requests took, as percentiles", load: () => import("./cli/usage/latency.ts") },
      errors: { summary: "the rate of errors, and what they say", load: () => import("./cli/usage/errors.ts") },
      requests: { summary: "the newest requests", load: () => import("./cli/usage/requests.ts") },
      request: { summary: "one request, and the sum of its cost", load: () => import("./cli/usage/request.ts") },
      tail: { summary: "requests as they are written", load: () => import("./cli/usage/tail.ts") },
      runs: { summary: "agent runs: requests with the same trace", load: () => import("./cli/usage/runs.ts") },
      run: { summary: "one agent run as a waterfall of its cost", load: () => import("./cli/usage/run.ts") },
      pending: {
        summary: "background responses and batches that are not billed yet",
        load: () => import("./cli/usage/pending.ts"),
      },
      forecast: { summary: "what the month will have cost at its end", load: () => import("./cli/usage/forecast.ts") },
      "what-if": {
        summary: "what the same tokens would have cost with another model",
        load: () => import("./cli/usage/what-if.ts"),
      },
      invoice: { summary: "what each group owes for a calendar month", load: () => import("./cli/usage/invoice.ts") },
      export: { summary: "requests with their bodies, as JSON lines", load: () => import("./cli/usage/export.ts") },
    },
  },
  reconcile: {
    summary: "compare what providers bill with what was recorded",
    load: () => import("./cli/reconcile/run.ts"),
    commands: {
      import: { summary: "compare a bill from a CSV file", load: () => import("./cli/reconcile/import.ts") },
      history: { summary: "the differences from day to day", load: () => import("./cli/reconcile/history.ts") },
      fix: { summary: "set the prices that the bill implies", load: () => import("./cli/reconcile/fix.ts") },
    },
  },
  import: {
    summary: "requests that other products have recorded",
    commands: {
      litellm: { summary: "spend logs of LiteLLM", load: () => import("./cli/import/litellm.ts") },
      "litellm-config": {
        summary: "translate a config.yaml of LiteLLM into settings",
        load: () => import("./cli/import/litellm-config.ts"),
      },
      helicone: { summary: "requests of Helicone", load: () => import("./cli/import/helicone.ts") },
      langfuse: { summary: "generations of Langfuse", load: () => import("./cli/import/langfuse.ts") },
      openrouter: { summary: "generations of OpenRouter", load: () => import("./cli/import/openrouter.ts") },
      go: { summary: "requests of the Go gateway", load: () => import("./cli/import/go.ts") },
      list: { summary: "all imports", load: () => import("./cli/import/list.ts") },
      undo: { summary: "remove the requests of an import", load: () => import("./cli/import/undo.ts") },
    },
  },
  notify: {
    summary: "notifications: channels, and what was sent",
    commands: {
      list: { summary: "the channels, and the newest notifications", load: () => import("./cli/notify/list.ts") },
      test: { summary: "send a test message to a channel", load: () => import("./cli/notify/test.ts") },
    },
  },
  metadata: {
    summary: "the names that clients send as X-Majordomo-NAME",
    commands: {
      list: { summary: "all names, and which are active", load: () => import("./cli/metadata/list.ts") },
      activate: { summary: "index and aggregate by a name", load: () => import("./cli/metadata/activate.ts") },
      deactivate: {
        summary: "no longer index and aggregate by a name",
        load: () => import("./cli/metadata/deactivate.ts"),
      },
    },
  },
  archive: {
    summary: "write finished days as Parquet files",
    load: () => import("./cli/archive/run.ts"),
    commands: {
      list: { summary: "the days of the archive", load: () => import("./cli/archive/list.ts") },
      verify: { summary: "read all files and compare them", load: () => import("./cli/archive/verify.ts") },
    },
  },
  prune: { summary: "delete old requests; totals stay", load: () => import("./cli/prune.ts") },
  pricing: {
    summary: "the price book: USD per million tokens, with source and date",
    commands: {
      list: { summary: "every model that has a price", load: () => import("./cli/pricing/list.ts") },
      get: { summary: "one model's prices", load: () => import("./cli/pricing/get.ts") },
      history: { summary: "how one model's prices changed", load: () => import("./cli/pricing/history.ts") },
      set: { summary: "set one model's price, for all gateways", load: () => import("./cli/pricing/set.ts") },
      unset: { summary: "remove a price that was set", load: () => import("./cli/pricing/unset.ts") },
      overrides: { summary: "the prices that were set", load: () => import("./cli/pricing/overrides.ts") },
      refresh: { summary: "fetch the price lists now", load: () => import("./cli/pricing/refresh.ts") },
      reprice: { summary: "price stored requests again", load: () => import("./cli/pricing/reprice.ts") },
    },
  },
  completion: {
    summary: "complete commands and options in bash, zsh or fish",
    load: () => import("./cli/completion.ts"),
  },
}

/** Runs the program with the arguments after its name, and sets the exit code. */
export function run(args: readonly string[]): Promise<void> {
  return runProgram({ name: "majordomo-gateway", version, commands: COMMANDS }, args)
}
