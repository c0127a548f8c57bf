/** Returns what `serve` prints when it is ready: the banner, and on the very first run how to send the first request. */
export function welcome(server: {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly modelCount: number
  readonly firstKey: string | undefined
  readonly isDemo?: boolean
}): string {
  const banner = [
    `Starting Majordomo Gateway on ${server.host}:${server.port}`,
    `Connected to ${server.database}`,
    `Pricing data loaded (${server.modelCount} models)`,
    "",
  ]
  const { firstKey, isDemo } = server
  const url = toUrl(server)
  if (firstKey === undefined)
    return [...banner.slice(0, -1), `Send requests to ${url}`, `Dashboard: ${url}/dashboard/`, ""].join("\n")
  return [...banner, ...(isDemo ? demoSteps(firstKey, url) : firstSteps(firstKey, url))].join("\n")
}

function demoSteps(key: string, url: string): string[] {
  const program = "npx majordomo-gateway"
  return [
    "",
    "  This is a demo: thirty days of sample data, a fake provider, and a directory of its own.",
    "  Each start replaces the data; your own data is not touched.",
    "",
    `  curl ${url}/v1/chat/completions -H "X-Majordomo-Key: ${key}" \\`,
    '    -H "Content-Type: application/json" -H "X-Majordomo-User-Id: me" \\',
    `    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'`,
    "",
    `  ${program} usage --demo`,
    `  ${program} usage --by Feature --demo`,
    `  ${program} usage runs --demo`,
    `  ${program} dashboard --open --demo`,
    "",
    "",
  ]
}

function firstSteps(key: string, url: string): string[] {
  return [
    "",
    `  Your first key (shown once):  ${key}`,
    "",
    `  curl ${url}/v1/chat/completions \\`,
    `    -H "X-Majordomo-Key: ${key}" \\`,
    '    -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\',
    `    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'`,
    "",
    `  OpenAI SDK     new OpenAI({ baseURL: "${url}/v1", defaultHeaders: { "X-Majordomo-Key": "${key}" } })`,
    `  Anthropic SDK  new Anthropic({ baseURL: "${url}", defaultHeaders: { "X-Majordomo-Key": "${key}" } })`,
    "",
    "  Then see what it cost:  npx majordomo-gateway usage --by model",
    "  or open the dashboard:  npx majordomo-gateway dashboard --open",
    "",
    "",
  ]
}

/** Returns an address at which a client on this machine reaches the gateway. */
function toUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  const callable = host === "0.0.0.0" || host === "[::]" || host === "127.0.0.1" ? "localhost" : host
  return `http://${callable}:${port}`
}
