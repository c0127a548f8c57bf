import { DIALECTS } from "../../src/providers/catalog.ts"
import { describeProvider } from "../contract/provider.ts"

describeProvider("openai", DIALECTS.openai)
describeProvider("compatible", DIALECTS.openai)
describeProvider("anthropic", DIALECTS.anthropic)
describeProvider("bedrock", DIALECTS.bedrock)
describeProvider("gemini", DIALECTS.gemini)
