// The operations that Anthropic's API does not bill, by method and path. From the methods of the official SDK (`@anthropic-ai/sdk`
// 1.11); the table of all of them is docs/operations.md. What is in no list may be billed.

/** Files, skills, agents, vaults, models and everything else that is only kept or shown. */
export const FREE_OPERATIONS = `
  GET POST agents
  GET POST agents/*
  POST agents/*/archive
  GET agents/*/versions
  GET deployment_runs
  GET deployment_runs/*
  GET POST deployments
  GET POST deployments/*
  POST deployments/*/archive
  POST deployments/*/pause
  POST deployments/*/unpause
  GET POST environments
  GET POST DELETE environments/*
  POST environments/*/archive
  GET environments/*/work
  GET POST environments/*/work/*
  POST environments/*/work/*/ack
  POST environments/*/work/*/heartbeat
  POST environments/*/work/*/stop
  GET environments/*/work/poll
  GET environments/*/work/stats
  GET POST files
  GET DELETE files/*
  GET files/*/content
  GET POST memory_stores
  GET POST DELETE memory_stores/*
  POST memory_stores/*/archive
  GET POST memory_stores/*/memories
  GET POST DELETE memory_stores/*/memories/*
  GET memory_stores/*/memory_versions
  GET memory_stores/*/memory_versions/*
  POST memory_stores/*/memory_versions/*/redact
  DELETE messages/batches/*
  GET models
  GET models/*
  DELETE sessions/*
  GET sessions/*/events
  GET sessions/*/events/stream
  GET POST sessions/*/resources
  GET POST DELETE sessions/*/resources/*
  GET sessions/*/threads/*/events
  GET sessions/*/threads/*/stream
  GET POST skills
  GET DELETE skills/*
  GET POST skills/*/versions
  GET DELETE skills/*/versions/*
  GET skills/*/versions/*/content
  GET POST tunnels
  GET tunnels/*
  POST tunnels/*/archive
  GET POST tunnels/*/certificates
  GET tunnels/*/certificates/*
  POST tunnels/*/certificates/*/archive
  POST tunnels/*/reveal_token
  POST tunnels/*/rotate_token
  GET POST user_profiles
  GET POST DELETE user_profiles/*
  POST user_profiles/*/action_urls
  POST user_profiles/*/enrollment_url
  GET POST vaults
  GET POST DELETE vaults/*
  POST vaults/*/archive
  GET POST vaults/*/credentials
  GET POST DELETE vaults/*/credentials/*
  POST vaults/*/credentials/*/archive
  POST vaults/*/credentials/*/mcp_oauth_validate
`

/** The administration of an organization. */
export const FREE_ADMIN_OPERATIONS = `
  GET organizations/analytics/apps/chat/projects
  GET organizations/analytics/artifacts
  GET organizations/analytics/connectors
  GET organizations/analytics/cost
  GET organizations/analytics/cost_report
  GET organizations/analytics/plugins
  GET organizations/analytics/skills
  GET organizations/analytics/summaries
  GET organizations/analytics/usage
  GET organizations/analytics/usage_report
  GET organizations/analytics/user_cost_report
  GET organizations/analytics/user_usage_report
  GET organizations/analytics/users
  GET organizations/api_keys
  GET POST organizations/api_keys/*
  GET POST organizations/claude_code/managed_settings/configuration
  GET POST organizations/claude_code/managed_settings/rbac_group_default
  GET organizations/claude_code/managed_settings/rbac_groups
  GET POST DELETE organizations/claude_code/managed_settings/rbac_groups/*
  GET organizations/claude_tag/bundles
  GET POST organizations/claude_tag/bundles/*
  GET POST organizations/claude_tag/bundles/*/targets
  GET DELETE organizations/claude_tag/bundles/*/targets/*
  GET POST organizations/claude_tag/slack_channels
  GET POST DELETE organizations/claude_tag/slack_channels/*
  GET organizations/claude_tag/slack_workspaces
  GET POST organizations/claude_tag/slack_workspaces/*
  GET POST organizations/compliance_settings
  GET POST organizations/external_keys
  GET POST DELETE organizations/external_keys/*
  POST organizations/external_keys/*/validate
  GET POST organizations/federation_issuers
  GET POST organizations/federation_issuers/*
  POST organizations/federation_issuers/*/archive
  GET POST organizations/federation_rules
  GET POST organizations/federation_rules/*
  POST organizations/federation_rules/*/archive
  GET POST organizations/federation_rules/*/workspaces
  DELETE organizations/federation_rules/*/workspaces/*
  GET POST organizations/invites
  GET DELETE organizations/invites/*
  GET organizations/me
  GET organizations/plugin_marketplaces
  GET POST organizations/plugin_marketplaces/*
  POST organizations/plugin_marketplaces/validate_archive
  POST organizations/plugin_marketplaces/validate_repository
  GET POST organizations/plugins
  GET POST DELETE organizations/plugins/*
  GET organizations/plugins/*/installation_settings
  POST DELETE organizations/plugins/*/installation_settings/*
  GET organizations/plugins/*/shares
  GET POST organizations/plugins/*/versions
  GET organizations/plugins/*/versions/*
  GET organizations/plugins/*/versions/*/content
  GET organizations/rate_limits
  GET POST organizations/rbac_groups
  GET POST DELETE organizations/rbac_groups/*
  GET POST organizations/rbac_groups/*/members
  DELETE organizations/rbac_groups/*/members/*
  GET organizations/rbac_roles
  GET organizations/rbac_roles/*
  GET organizations/rbac_roles/*/permissions
  GET POST organizations/service_accounts
  GET POST organizations/service_accounts/*
  POST organizations/service_accounts/*/archive
  GET POST organizations/service_accounts/*/workspaces
  DELETE organizations/service_accounts/*/workspaces/*
  GET organizations/spend_limit_increase_requests
  GET organizations/spend_limit_increase_requests/*
  POST organizations/spend_limit_increase_requests/*/approve
  POST organizations/spend_limit_increase_requests/*/deny
  GET POST organizations/spend_limits
  GET DELETE organizations/spend_limits/*
  GET organizations/spend_limits/effective
  GET POST organizations/telemetry_destinations
  GET POST DELETE organizations/telemetry_destinations/*
  POST organizations/telemetry_destinations/*/test
  GET organizations/telemetry_destinations/*/workspaces
  POST DELETE organizations/telemetry_destinations/*/workspaces/*
  GET organizations/users
  GET POST DELETE organizations/users/*
  POST organizations/users/*/sign_out
  GET POST organizations/webhooks
  GET POST DELETE organizations/webhooks/*
  POST organizations/webhooks/*/regenerate_signing_secret
  GET POST organizations/workspaces
  GET POST organizations/workspaces/*
  POST organizations/workspaces/*/archive
  GET POST organizations/workspaces/*/members
  GET POST DELETE organizations/workspaces/*/members/*
  GET organizations/workspaces/*/rate_limits
  POST organizations/workspaces/*/rate_limits/*
  GET POST organizations/workspaces/*/service_accounts
  GET POST DELETE organizations/workspaces/*/service_accounts/*
`

/** The operations that show a session or a dream again, with the usage that its work was billed for. */
export const STORED_OPERATIONS = `
  GET dreams
  GET dreams/*
  POST dreams/*/archive
  POST dreams/*/cancel
  GET sessions
  GET POST sessions/*
  POST sessions/*/archive
  GET sessions/*/threads
  GET sessions/*/threads/*
  POST sessions/*/threads/*/archive
`
