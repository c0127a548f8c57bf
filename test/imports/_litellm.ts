/** A row of LiteLLM_SpendLogs as LiteLLM 1.80 writes it; `n` tells rows apart. */
export function aSpendLog(n = 1, changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    request_id: `chatcmpl-${n}`,
    call_type: "acompletion",
    api_key: "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    spend: 0.00042,
    total_tokens: 1500,
    prompt_tokens: 1000,
    completion_tokens: 500,
    startTime: "2026-11-02T10:00:00.100Z",
    endTime: "2026-11-02T10:00:01.350Z",
    completionStartTime: "2026-11-02T10:00:00.400Z",
    model: "openai/gpt-4o-mini",
    model_group: "fast",
    custom_llm_provider: "openai",
    user: "default_user_id",
    team_id: "team-1",
    end_user: "anna",
    cache_hit: "False",
    request_tags: ["batch", "User-Agent: python"],
    status: "success",
    metadata: {
      user_api_key_alias: "search-service",
      user_api_key_team_alias: "Search",
      spend_logs_metadata: { "cost center": "C-17", nested: { left: "out" } },
      usage_object: {
        prompt_tokens_details: { cached_tokens: 400 },
        completion_tokens_details: { reasoning_tokens: 100 },
      },
    },
    ...changes,
  }
}
