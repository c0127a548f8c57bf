// The operations that OpenAI's API does not bill, by method and path. From the methods of the official SDK (`openai` 6.49); the table
// of all of them is docs/operations.md. What is in no list may be billed.

/** Files, stores, conversations, models and everything else that is only kept or shown. */
export const FREE_OPERATIONS = `
  GET POST assistants
  GET POST DELETE assistants/*
  GET chat/completions
  DELETE chat/completions/*
  GET chat/completions/*/messages
  POST chatkit/sessions
  POST chatkit/sessions/*/cancel
  GET chatkit/threads
  GET DELETE chatkit/threads/*
  GET chatkit/threads/*/items
  GET containers
  GET DELETE containers/*
  GET POST containers/*/files
  GET DELETE containers/*/files/*
  GET containers/*/files/*/content
  POST conversations
  GET POST DELETE conversations/*
  GET POST conversations/*/items
  GET DELETE conversations/*/items/*
  GET POST evals
  GET POST DELETE evals/*
  GET evals/*/runs
  GET POST DELETE evals/*/runs/*
  GET evals/*/runs/*/output_items
  GET evals/*/runs/*/output_items/*
  GET POST files
  GET DELETE files/*
  POST fine_tuning/alpha/graders/validate
  GET POST fine_tuning/checkpoints/*/permissions
  DELETE fine_tuning/checkpoints/*/permissions/*
  GET fine_tuning/jobs
  GET fine_tuning/jobs/*
  POST fine_tuning/jobs/*/cancel
  GET fine_tuning/jobs/*/checkpoints
  GET fine_tuning/jobs/*/events
  POST fine_tuning/jobs/*/pause
  POST fine_tuning/jobs/*/resume
  GET models
  GET DELETE models/*
  POST moderations
  POST realtime/calls/*/hangup
  POST realtime/calls/*/refer
  POST realtime/calls/*/reject
  POST realtime/client_secrets
  POST realtime/sessions
  POST realtime/transcription_sessions
  POST realtime/translations/client_secrets
  DELETE responses/*
  GET responses/*/input_items
  GET POST skills
  GET POST DELETE skills/*
  GET skills/*/content
  GET POST skills/*/versions
  GET DELETE skills/*/versions/*
  GET skills/*/versions/*/content
  POST threads
  GET POST DELETE threads/*
  GET POST threads/*/messages
  GET POST DELETE threads/*/messages/*
  POST uploads
  POST uploads/*/cancel
  POST uploads/*/complete
  POST uploads/*/parts
  GET POST vector_stores
  GET POST DELETE vector_stores/*
  POST vector_stores/*/file_batches
  GET vector_stores/*/file_batches/*
  POST vector_stores/*/file_batches/*/cancel
  GET vector_stores/*/file_batches/*/files
  GET POST vector_stores/*/files
  GET POST DELETE vector_stores/*/files/*
  GET vector_stores/*/files/*/content
  GET videos
  DELETE videos/*
  GET videos/*/content
  POST videos/characters
  GET videos/characters/*
`

/** The administration of an organization and its projects. */
export const FREE_ADMIN_OPERATIONS = `
  GET POST organization/admin_api_keys
  GET DELETE organization/admin_api_keys/*
  GET organization/audit_logs
  GET POST organization/certificates
  GET POST DELETE organization/certificates/*
  POST organization/certificates/activate
  POST organization/certificates/deactivate
  GET organization/costs
  GET POST organization/data_retention
  GET POST organization/groups
  GET POST DELETE organization/groups/*
  GET POST organization/groups/*/roles
  GET DELETE organization/groups/*/roles/*
  GET POST organization/groups/*/users
  GET DELETE organization/groups/*/users/*
  GET POST organization/invites
  GET DELETE organization/invites/*
  GET POST organization/projects
  GET POST organization/projects/*
  GET organization/projects/*/api_keys
  GET DELETE organization/projects/*/api_keys/*
  POST organization/projects/*/archive
  GET organization/projects/*/certificates
  POST organization/projects/*/certificates/activate
  POST organization/projects/*/certificates/deactivate
  GET POST organization/projects/*/data_retention
  GET POST organization/projects/*/groups
  GET DELETE organization/projects/*/groups/*
  GET POST organization/projects/*/hosted_tool_permissions
  GET POST DELETE organization/projects/*/model_permissions
  GET organization/projects/*/rate_limits
  POST organization/projects/*/rate_limits/*
  GET POST organization/projects/*/service_accounts
  GET POST DELETE organization/projects/*/service_accounts/*
  POST organization/projects/*/service_accounts/*/api_keys
  GET POST organization/projects/*/spend_alerts
  GET POST DELETE organization/projects/*/spend_alerts/*
  GET POST DELETE organization/projects/*/spend_limit
  GET POST organization/projects/*/users
  GET POST DELETE organization/projects/*/users/*
  GET POST organization/roles
  GET POST DELETE organization/roles/*
  GET POST organization/spend_alerts
  GET POST DELETE organization/spend_alerts/*
  GET POST DELETE organization/spend_limit
  GET organization/usage/audio_speeches
  GET organization/usage/audio_transcriptions
  GET organization/usage/code_interpreter_sessions
  GET organization/usage/completions
  GET organization/usage/embeddings
  GET organization/usage/file_search_calls
  GET organization/usage/images
  GET organization/usage/moderations
  GET organization/usage/vector_stores
  GET organization/usage/web_search_calls
  GET organization/users
  GET POST DELETE organization/users/*
  GET POST organization/users/*/roles
  GET DELETE organization/users/*/roles/*
  GET POST projects/*/groups/*/roles
  GET DELETE projects/*/groups/*/roles/*
  GET POST projects/*/roles
  GET POST DELETE projects/*/roles/*
  GET POST projects/*/users/*/roles
  GET DELETE projects/*/users/*/roles/*
`

/** The operations by which compatible providers (xAI, OpenRouter, Azure) describe themselves beside OpenAI's paths. */
export const FREE_COMPATIBLE_OPERATIONS = `
  GET api-key
  GET credits
  GET deployments
  GET embedding-models
  GET embedding-models/*
  GET generation
  GET image-generation-models
  GET image-generation-models/*
  GET key
  GET language-models
  GET language-models/*
  GET models/*/*/endpoints
  GET providers
`

/** The operations that show an answer, a run or a batch again that was billed where it was made. */
export const STORED_OPERATIONS = `
  GET batches
  GET POST chat/completions/*
  GET threads/*/runs
  GET threads/*/runs/*/steps
  GET threads/*/runs/*/steps/*
`

/** The operations that show a run of an assistant or let it go on. Its row is that of the request that started it. */
export const RUN_OPERATIONS = `
  GET POST threads/*/runs/*
  POST threads/*/runs/*/cancel
  POST threads/*/runs/*/submit_tool_outputs
`
