// The operations that Gemini's API and Vertex do not bill, by method and path. From the methods of the official SDK
// (`@google/genai` 2.32); the table of all of them is docs/operations.md. What is in no list may be billed.

/** Models, files, stores, agents and everything else that is only kept or shown. */
export const FREE_OPERATIONS = `
  GET models
  GET DELETE PATCH models/*
  GET publishers/*/models
  GET publishers/*/models/*
  POST publishers/*/models/*:countTokens
  POST publishers/*/models/*:computeTokens
  POST publishers/*/models/*:fetchPredictOperation
  POST models/*:countTokens
  POST models/*:countTextTokens
  POST models/*:countMessageTokens
  POST models/*:computeTokens
  GET tunedModels
  GET PATCH DELETE tunedModels/*
  GET tunedModels/*/operations
  GET tunedModels/*/operations/*
  GET tuningJobs
  GET tuningJobs/*
  POST tuningJobs/*:cancel
  POST tunedModels/*:cancel
  GET models/*/operations
  GET publishers/*/models/*/operations/*
  GET operations
  GET DELETE operations/*
  POST operations/*:cancel
  GET POST files
  GET DELETE files/*
  POST files:register
  POST auth_tokens
  DELETE batches/*
  GET batches
  POST batches/*:cancel
  GET batchPredictionJobs
  DELETE batchPredictionJobs/*
  POST batchPredictionJobs/*:cancel
  GET cachedContents
  DELETE cachedContents/*
  GET POST fileSearchStores
  GET DELETE fileSearchStores/*
  GET fileSearchStores/*/documents
  GET DELETE fileSearchStores/*/documents/*
  GET fileSearchStores/*/operations/*
  GET fileSearchStores/*/upload/operations/*
  GET fileSearchStores/*/media/*
  DELETE interactions/*
  GET POST agents
  GET DELETE agents/*
  GET POST credentials
  GET DELETE PATCH credentials/*
  GET environments
  GET DELETE environments/*
  GET PUT environments/*/files/*
  GET triggers
  GET DELETE PATCH triggers/*
  GET triggers/*/executions
  GET voices
  GET DELETE voices/*
  GET POST webhooks
  GET PATCH DELETE webhooks/*
  POST webhooks/*:ping
  POST webhooks/*:rotateSigningSecret
`

/** The operations that show a cache again, with the usage that its making was billed for. */
export const STORED_OPERATIONS = `
  GET PATCH cachedContents/*
`

/** The operations that start a batch, which is billed where its results are fetched. */
export const JOB_OPERATIONS = `
  POST models/*:batchGenerateContent
  POST models/*:asyncBatchEmbedContent
  POST tunedModels/*:batchGenerateContent
  POST batchPredictionJobs
`

/** The operations that show a batch, with its results when it has ended. */
export const BATCH_OPERATIONS = `
  GET batches/*
  GET batchPredictionJobs/*
`

/** The operations that show an interaction again, with the usage for which its row is billed. */
export const INTERACTION_OPERATIONS = `
  GET interactions/*
  POST interactions/*/cancel
`
