import { mkdtempSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { loadSettings } from "../../src/config/load.ts"
import { translateConfig } from "../../src/imports/litellm-config/translate.ts"
import { translateLitellmConfig } from "../../src/operations/imports/litellm-config.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"

const CONFIG = `
model_list:
  - model_name: gpt-4o
    litellm_params: { model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY }
  - model_name: claude
    litellm_params: { model: anthropic/claude-sonnet-4-6, api_key: sk-ant-api03-secret }
  - model_name: chat
    litellm_params:
      model: azure/my-chat
      api_base: https://acme.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY
    model_info: { base_model: azure/gpt-4.1 }
  - model_name: nova
    litellm_params: { model: bedrock/amazon.nova-pro-v1:0, aws_region_name: eu-central-1 }
  - model_name: llama
    litellm_params:
      model: hosted_vllm/llama-4-70b
      api_base: http://user:hidden@vllm.internal:8000/v1?token=hidden
      input_cost_per_token: 0.0000002
      output_cost_per_token: 6.0e-07
  - model_name: small
    litellm_params: { model: groq/llama-3, api_base: os.environ/GROQ_BASE }
router_settings:
  fallbacks: [{ gpt-4o: [claude] }]
litellm_settings:
  cache: true
  drop_params: true
  callbacks: [prometheus]
general_settings:
  master_key: sk-litellm-secret
  database_url: postgresql://litellm:hidden@db/litellm
environment_variables: { OPENAI_API_KEY: sk-proj-hidden }
`

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "mdm-litellm-"))
  writeFileSync(join(directory, "config.yaml"), CONFIG)
})
afterAll(() => rm(directory, { recursive: true }))

describe("a config.yaml of LiteLLM", () => {
  test("becomes settings, with a comment for what has no counterpart", async () => {
    expect(await translateLitellmConfig(join(directory, "config.yaml"))).toMatchInlineSnapshot(`
      "# Settings of majordomo-gateway, translated from a config.yaml of LiteLLM.
      #
      # Models: clients ask for the provider's own name:
      # * gpt-4o: at openai, by the same name
      # * claude: claude-sonnet-4-6 at anthropic
      # * chat: my-chat at azure
      # * nova: amazon.nova-pro-v1:0 at bedrock
      # * llama: llama-4-70b at hosted_vllm
      # * small: llama-3 at groq
      #
      # Keys of providers: clients send them, or the gateway holds them:
      # * openai: \`majordomo-gateway provider-keys add openai\`, with the value of OPENAI_API_KEY
      # * anthropic: \`majordomo-gateway provider-keys add anthropic\`, with a key in the file, which is not copied
      # * azure: \`majordomo-gateway provider-keys add azure\`, with the value of AZURE_API_KEY
      #
      # To do:
      # * providers.groq.base_url is the value of GROQ_BASE: set MAJORDOMO_PROVIDERS_GROQ_BASE_URL to it
      #
      # Without a counterpart, or elsewhere:
      # * router_settings: nothing: there are no fallbacks, retries, load balancing and routing by load
      # * litellm_settings.cache: nothing: each request goes to its provider
      # * litellm_settings.drop_params: nothing: requests reach the provider as the client wrote them
      # * litellm_settings.callbacks: telemetry.otlp (docs/telemetry.md), or SQL on the gateway's tables
      # * general_settings.master_key: an admin token: set ADMIN_TOKEN, or run \`majordomo-gateway tokens create\`
      # * general_settings.database_url: set DATABASE_URL to a database of the gateway's own: it cannot share LiteLLM's
      # * environment_variables: the environment of the gateway; its values are not copied, because they may be secret

      providers:
        azure:
          base_url: "https://acme.openai.azure.com"
          deployments:
            my-chat: gpt-4.1
        bedrock:
          region: eu-central-1
        hosted_vllm:
          base_url: "http://vllm.internal:8000"
          format: openai
        groq:
          format: openai
      pricing:
        overrides:
          hosted_vllm/llama-4-70b:
            input: 0.2
            output: 0.6
      "
    `)
  })

  test("contains no secret afterwards", async () => {
    expect(await translateLitellmConfig(join(directory, "config.yaml"))).not.toMatch(/-secret|hidden|sk-/)
  })

  test("is accepted as the settings of the gateway", async () => {
    writeFileSync(join(directory, "majordomo.yaml"), await translateLitellmConfig(join(directory, "config.yaml")))
    const variables = { MAJORDOMO_PROVIDERS_GROQ_BASE_URL: "https://api.groq.com/openai" }
    const options = { cwd: directory, env: variables, systemFile: join(directory, "none.yaml") }
    const { settings } = await loadSettings(options, PROVIDER_CATALOG)
    expect(settings.providers).toMatchObject({
      azure: { baseUrl: "https://acme.openai.azure.com" },
      hosted_vllm: { baseUrl: "http://vllm.internal:8000", format: "openai" },
    })
  })

  test.each([
    [{}, "# No setting is needed."],
    [{ model_list: "none" }, "# No setting is needed."],
    [{ model_list: [{ model_name: "a" }, null, "b"] }, "# No setting is needed."],
    [{ model_list: [{ litellm_params: { model: "deepseek/chat" } }] }, 'base_url: "https://api.deepseek.com"'],
  ])("of another shape is read as far as it goes: %o", (content, line) => {
    expect(translateConfig(content as Record<string, unknown>)).toContain(line)
  })
})
