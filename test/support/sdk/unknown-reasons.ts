import type { SdkMethod } from "./method.ts"

/** Why a method is in no list: the first entry that matches `SDK METHOD`. */
const REASONS: readonly (readonly [method: RegExp, reason: string])[] = [
  [/^openai containers\.create$/, "a container is billed by the session, which its answer does not report"],
  [/^openai evals\.runs\.create$/, "a run calls models, whose usage its answer does not report"],
  [/^openai fineTuning\.jobs\.create$/, "training is billed by tokens that its answer does not report"],
  [/^openai fineTuning\.alpha\.graders\.run$/, "a grader may call a model"],
  [/^openai realtime\.calls\.accept$/, "the call is billed by its audio, which does not pass through the gateway"],
  [/^openai vectorStores\.search$/, "no source says whether a direct search has the fee of file search"],
  [/^@anthropic-ai\/sdk beta\.deployments\.run$/, "an agent runs, whose usage its answer does not report"],
  [/^@anthropic-ai\/sdk beta\.dreams\.create$/, "a model works, whose usage its answer does not report"],
  [
    /^@anthropic-ai\/sdk beta\.sessions\.(create|events\.send)$/,
    "an agent runs, whose usage its answer does not report",
  ],
  [/^@google\/genai caches\.create/, "a cache is billed by its tokens and its lifetime"],
  [/^@google\/genai environments\.create/, "no source states a price"],
  [
    /^@google\/genai fileSearchStores\.(importFile|uploadToFileSearchStore)/,
    "indexing is billed by tokens that its answer does not report",
  ],
  [/^@google\/genai triggers\./, "it makes an agent run, whose usage its answer does not report"],
  [/^@google\/genai tunings\./, "training is billed by tokens that its answer does not report"],
  [/^@aws-sdk.* (ApplyGuardrail|InvokeGuardrailChecks)/, "a guardrail is billed by units of text, which are no tokens"],
  [/^@aws-sdk.* StartAsyncInvoke/, "a film is billed by its length, which its answer does not report"],
  [/^@google\/genai voices\.create/, "no source states a price"],
]

/** Returns why a method is `unknown`; undefined if no reason is listed. */
export function unknownReason({ sdk, name }: SdkMethod): string | undefined {
  return REASONS.find(([method]) => method.test(`${sdk} ${name}`))?.[1]
}
