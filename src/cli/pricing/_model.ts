/** The arguments of the commands about the prices of one model. */
export const MODEL = {
  model: { type: "positional", required: true, description: "the model, as a response or a request names it" },
  provider: {
    type: "string",
    valueHint: "NAME",
    description: "at this provider (default: those of the configuration)",
  },
} as const
