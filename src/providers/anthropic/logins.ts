import type { Logins } from "../_dialect.ts"

/**
 * Claude Code sends the token of a Pro, Max, Team or Enterprise login where it otherwise sends an API key. Its use beyond
 * the limits of the plan ("extra usage") is billed at the prices of the API, if the account allows that. Anthropic does not
 * document the headers that say so; these were seen in answers to Claude Code in 2026.
 */
export const LOGINS: Logins = {
  isLogin: (credential) => credential.startsWith("sk-ant-oat"),
  isBilled(header) {
    const isExtra = header("anthropic-ratelimit-unified-overage-in-use") === "true"
    if (isExtra || header("anthropic-ratelimit-unified-representative-claim") === "overage") return true
    const isBeyondPlan = header("anthropic-ratelimit-unified-status") === "rejected"
    return isBeyondPlan && header("anthropic-ratelimit-unified-overage-status")?.startsWith("allowed") === true
  },
}
