import { formatDecimal, fromNumber, multiply } from "../../core/decimal.ts"
import { createTable } from "../../core/table.ts"
import { isRecord } from "../../kit/json/is-record.ts"
import { addProvider, type Deployment, type FoundProviders, readDeployment, toVariableName } from "./providers.ts"
import { writeYaml, type YamlMap } from "./write-yaml.ts"

const MILLION = fromNumber(1_000_000)

/** LiteLLM's prices per token, and the gateway's rates per million. */
const RATES = createTable({
  input_cost_per_token: "input",
  output_cost_per_token: "output",
  cache_read_input_token_cost: "cache_read",
  cache_creation_input_token_cost: "cache_write",
  output_cost_per_reasoning_token: "reasoning",
})

/** The counterparts of sections and settings of LiteLLM, in words. */
const COUNTERPARTS = createTable({
  "general_settings.master_key": "an admin token: set ADMIN_TOKEN, or run `majordomo-gateway tokens create`",
  "general_settings.database_url": "set DATABASE_URL to a database of the gateway's own: it cannot share LiteLLM's",
  "general_settings.alerting": "notifications.channels and notifications.rules (docs/notifications.md)",
  "general_settings.alerting_threshold": "nothing: the gateway reports unusual spending, and latency is in /metrics",
  "general_settings.store_model_in_db": "nothing: models need no settings",
  "general_settings.max_budget": "`majordomo-gateway limits create` (docs/limits.md)",
  "litellm_settings.max_budget": "`majordomo-gateway limits create` (docs/limits.md)",
  "litellm_settings.budget_duration": "the window of a limit (docs/limits.md)",
  "litellm_settings.cache": "nothing: each request goes to its provider",
  "litellm_settings.cache_params": "nothing: each request goes to its provider",
  "litellm_settings.callbacks": "telemetry.otlp (docs/telemetry.md), or SQL on the gateway's tables",
  "litellm_settings.success_callback": "telemetry.otlp (docs/telemetry.md), or SQL on the gateway's tables",
  "litellm_settings.failure_callback": "telemetry.otlp (docs/telemetry.md), or SQL on the gateway's tables",
  "litellm_settings.drop_params": "nothing: requests reach the provider as the client wrote them",
  "litellm_settings.fallbacks": "nothing: each request is sent once, to the provider that it names",
  "litellm_settings.context_window_fallbacks": "nothing: each request is sent once, to the provider that it names",
  "litellm_settings.content_policy_fallbacks": "nothing: each request is sent once, to the provider that it names",
  "litellm_settings.default_fallbacks": "nothing: each request is sent once, to the provider that it names",
  "litellm_settings.num_retries": "nothing: clients repeat requests themselves",
  "litellm_settings.request_timeout": "upstream.first_byte_timeout and upstream.idle_timeout",
  "litellm_settings.turn_off_message_logging": "nothing: bodies are stored only if logging.body_storage says so",
  "litellm_settings.default_team_settings": "API keys of teams: `majordomo-gateway keys create`, and metadata of keys",
  router_settings: "nothing: there are no fallbacks, retries, load balancing and routing by load",
  guardrails: "nothing: the gateway does not read prompts",
  environment_variables: "the environment of the gateway; its values are not copied, because they may be secret",
  mcp_servers: "nothing: the gateway is no proxy of MCP servers",
  credential_list: "`majordomo-gateway provider-keys add`; secrets are not copied",
  prompts: "nothing: prompts stay with the clients",
  vector_store_registry: "nothing: vector stores are those of the provider",
})

/**
 * Translates the content of a LiteLLM `config.yaml` into a `majordomo.yaml`. What has no counterpart is a comment that says what to do
 * instead. Secrets are never copied, and neither are the values of environment variables.
 */
export function translateConfig(content: Readonly<Record<string, unknown>>): string {
  const list: readonly unknown[] = Array.isArray(content["model_list"]) ? content["model_list"] : []
  const deployments = list.flatMap((entry) => readDeployment(entry) ?? [])
  const found: FoundProviders = { entries: new Map(), notes: new Set() }
  const placed = deployments.map((deployment) => ({ ...deployment, name: addProvider(deployment, found) }))
  const overrides = readPrices(placed)
  const settings: YamlMap = {
    ...(found.entries.size > 0 && { providers: Object.fromEntries(found.entries) }),
    ...(Object.keys(overrides).length > 0 && { pricing: { overrides } }),
  }
  const notes = [
    ...section("Models: clients ask for the provider's own name", placed.map(describeModel)),
    ...section("Keys of providers: clients send them, or the gateway holds them", describeKeys(placed)),
    ...section("To do", [...found.notes]),
    ...section("Without a counterpart, or elsewhere", describeRest(content)),
  ]
  return [
    HEAD,
    ...notes,
    "",
    Object.keys(settings).length > 0 ? writeYaml(settings) : "# No setting is needed.",
    "",
  ].join("\n")
}

const HEAD = "# Settings of majordomo-gateway, translated from a config.yaml of LiteLLM."

type Placed = Deployment & { readonly name: string }

function section(title: string, lines: readonly string[]): readonly string[] {
  const unique = [...new Set(lines)]
  return unique.length === 0 ? [] : ["#", `# ${title}:`, ...unique.map((line) => `# * ${line}`)]
}

function describeModel({ alias, name, model }: Placed): string {
  if (alias === model) return `${comment(alias)}: at ${name}, by the same name`
  return `${comment(alias)}: ${comment(model)} at ${name}`
}

function describeKeys(placed: readonly Placed[]): readonly string[] {
  return placed.flatMap(({ name, params }) => {
    const key = params["api_key"] ?? params["aws_access_key_id"] ?? params["vertex_credentials"]
    if (key === undefined || key === null) return []
    const variable = toVariableName(key)
    const where =
      variable === undefined ? "a key in the file, which is not copied" : `the value of ${comment(variable)}`
    return [`${name}: \`majordomo-gateway provider-keys add ${name}\`, with ${where}`]
  })
}

/** Returns the prices that the file gives, in USD per million tokens. */
function readPrices(placed: readonly Placed[]): YamlMap {
  const overrides: Record<string, YamlMap> = {}
  for (const { name, model, params, info } of placed) {
    const rates: Record<string, string> = {}
    for (const [key, rate] of Object.entries(RATES)) {
      const price = Number(params[key] ?? info[key] ?? Number.NaN)
      if (price >= 0 && price < 1) rates[rate] = formatDecimal(multiply(fromNumber(price), MILLION))
    }
    if (Object.keys(rates).length > 0) overrides[`${name}/${model}`] = rates
  }
  return overrides
}

function describeRest(content: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(content).flatMap(([name, value]) => {
    if (name === "model_list") return []
    const whole = COUNTERPARTS[name]
    if (whole !== undefined || !isRecord(value)) return [`${comment(name)}: ${whole ?? "it is not known here"}`]
    return Object.keys(value).map((key) => {
      const path = `${name}.${key}`
      return `${comment(path)}: ${COUNTERPARTS[path] ?? "nothing"}`
    })
  })
}

/** Returns a text that can stand in a comment of one line. */
function comment(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 200)
}
