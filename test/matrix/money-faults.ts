/** The faults by which a cost could be wrong (M). */
export const MONEY_FAULTS = {
  M1: {
    "own prices apply to the model, to its snapshots, and to the requested name": [
      "pricing/own-prices.test.ts: applies to every snapshot of its model",
      "pricing/own-prices.test.ts: of the requested name applies to what answered under it",
      "pricing/own-prices.test.ts: the price of a model applies to a deployment of it at Azure",
    ],
  },
  M2: {
    "only listed operations are free, at their exact path": [
      "providers/operations.test.ts: are all known, or the reason why not is listed",
      "providers/operations.test.ts: is free at its exact path alone: not with a trailing slash, a sub-path, a dot segment or another prefix",
      "vectors/answers.json: a trailing slash does not make a call free",
    ],
    "an answer that reports usage is never free": [
      "vectors/answers.json: an answer that reports usage is never free, whatever the table of operations says",
    ],
    "calls that cost nothing are free": ["failing/expectations.ts: free-calls-unpriced.json"],
  },
  M3: {
    "background responses are billed once": [
      "jobs/background.test.ts: is billed once, in the row of its creation, however often it is fetched",
    ],
    "polled runs are billed once": [
      "jobs/polled.test.ts: is billed once, in the row of its creation, whoever polls it",
    ],
    "streams that resume are billed once": [
      "jobs/background.test.ts: is billed by its stream, and a resume or a fetch adds nothing",
    ],
    "Gemini's interactions and inline batches are billed once": [
      "jobs/gemini.test.ts: is billed once when a stream delivers it and others resume the stream",
      "jobs/gemini.test.ts: bills each of its inlined results once, to the key and metadata of the request that created it",
    ],
  },
  M4: {
    "results of a batch are billed once per item, also in ranges": [
      "jobs/openai-batch.test.ts: are billed once per item, to the creator of the batch, however often they are downloaded",
      "jobs/openai-batch.test.ts: that come in ranges are billed once for each whole line",
      "chaos/jobs.test.ts: two gateways that are killed between and during parallel downloads bill each job and each item once",
    ],
    "only results of known jobs are billed": [
      "jobs/openai-batch.test.ts: of a batch that no gateway created are not billed, and neither is any file of the same shape",
    ],
    "`results_url` leads through the gateway": [
      "jobs/anthropic-batch.test.ts: are billed once through the official SDK, whose download goes through the gateway",
    ],
  },
  M5: {
    "a reported cost with many digits is rounded": [
      "vectors/answers.json: a reported cost with more digits than money has is rounded, not dropped",
    ],
    "a reported cost of 0 is a cost": ["vectors/answers.json: a reported cost of 0 is a cost"],
    "a reported cost is read in every format": [
      "vectors/answers.json: a reported cost is read in Anthropic's format",
      "vectors/answers.json: a figure that the provider calls an estimate is the cost, as an estimate",
      "vectors/answers.json: the reported cost of pictures counts where no tokens are stated",
    ],
  },
  M6: {
    "chunks of File Search are no search": ["vectors/answers.json: chunks of File Search are no search"],
    "Maps has its own fee": [
      "vectors/answers.json: before Gemini 3, Maps has a fee of its own for each grounded request",
      "vectors/answers.json: since Gemini 3 each Maps query is billed; without their number one is counted, as an estimate",
    ],
    "empty and repeated queries are not counted": [
      "vectors/answers.json: repeated and empty search queries are not billed",
    ],
    "`grounding_tool_count` is read": [
      "vectors/answers.json: the Interactions API counts its searches itself, and retrieval has no fee",
    ],
  },
  M7: {
    "cache writes for 12 hours have their own rate": [
      "vectors/answers.json: cache writes for 12 hours have a rate of their own, of which only one list knows",
    ],
  },
  M8: {
    "search models and the older search tool have their fees": [
      "vectors/answers.json: a search model in chat has a fee for its search, about which sources differ",
      "vectors/answers.json: the older search tool costs more with models that do not reason",
      "vectors/answers.json: the older search tool costs as much as the current one with models that reason",
    ],
    "an image tool without usage makes an estimate": [
      "vectors/answers.json: an image tool that ran without stating its tokens makes an estimate",
    ],
  },
  M9: {
    "reprice never takes a right price away": [
      "operations/reprice.test.ts: a younger price list takes no right price away, whether its prices are the same or changed after the request",
      "operations/reprice.test.ts: an exact price stays if the only price that is known now was seen after the request",
    ],
  },
  M10: {
    "price files of the Go gateway are read as they mean it": [
      "pricing/own-prices.test.ts: of the Go gateway has 0 where a cached price is not known, and long tiers in rows of their own",
    ],
    "a price far from the known one is a warning": [
      "pricing/own-prices.test.ts: is reported at start, with the model and both numbers",
    ],
  },
  M11: {
    "a request without an answer is not free": [
      "gateway/unanswered.test.ts: if the client disconnects before the head",
    ],
  },
  M12: {
    "flex and batch do not halve Gemini's cached tokens": [
      "vectors/others.json: Gemini 2.5: a batch halves input and output, and not cached tokens, which one list alone says",
      "vectors/answers.json: Gemini 2.5: flex halves input and output, and not cached tokens, which one list alone says",
    ],
    "priority and fast tiers have their factor": [
      "vectors/answers.json: the priority tier of GPT-6 doubles the price",
      "vectors/answers.json: the ultrafast tier of GPT-6 Astra costs six times as much",
      "vectors/answers.json: Anthropic: fast mode of Opus 5.5 doubles the price",
      "vectors/answers.json: Gemini 2.5: the priority tier costs 1.8 times as much, cached tokens included",
    ],
    "audio of a transcription has its rate": [
      "vectors/answers.json: audio input of a transcription costs what its text does",
    ],
    "fine-tuned cached input has its rate": ["vectors/answers.json: a fine-tuned model has a cached rate of its own"],
    "the output of a decision is not billed": ["vectors/answers.json: of a decision only the input is billed"],
  },
  M13: {
    "compressed requests are read, and forwarded byte for byte": [
      "gateway/compressed-requests.test.ts: is read, and forwarded byte for byte: %s",
      "gateway/compressed-requests.test.ts: has the model that its row needs if the answer names none",
    ],
  },
  M14: {
    "cache reads are not added twice": [
      "vectors/answers.json: cache reads that a stream states in OpenAI's details too are inside the prompt, which contradicts the format",
    ],
    "cache tokens outside the prompt are input, not reasoning": [
      "vectors/answers.json: hidden tokens that are exactly those of the cache are input, not reasoning",
    ],
    "a split above its total is a contradiction": [
      "vectors/answers.json: lifetimes of cache writes that are more than all writes contradict them",
      "vectors/answers.json: audio above the prompt contradicts it",
    ],
  },
  M15: {
    "cut streams are estimated from text, tool calls and reasoning": [
      "providers/unreported.test.ts: chat: text, reasoning, refusal, and tool calls with their names",
      "providers/unreported.test.ts: Messages: text, thinking, and tool calls with their names and arguments, but no results of tools",
      "providers/unreported.test.ts: Gemini: text, thoughts, code and function calls, as an array: %s",
      "providers/recorded-estimates.test.ts: the median of estimate / truth is between 0.9 and 1.1 for %s",
    ],
    "complete streams without usage are estimated": [
      "providers/unreported.test.ts: is estimated, input included, and says so: $format $path",
    ],
  },
  M16: {
    "a model of yesterday has all its rates": [
      "pricing/price-book.test.ts: a model of yesterday has all its rates, cache writes and tiers included, also after a restart",
    ],
    "cache rates of new Claude models follow from the published factors": [
      "pricing/derive.test.ts: follow from the provider's published factors, as an estimate, if the catalog does not have the model",
    ],
    "models before their price cuts have their history": [
      "pricing/origins.test.ts: before a price cut: %s %s on %s is %s",
      "vectors/answers.json: a model before its price cut costs what it cost then",
    ],
  },
  M17: {
    "absurd counts leave the cost unknown": [
      "vectors/answers.json: a count that no answer can have leaves the cost unknown",
    ],
  },
  M18: {
    "a model has one name": [
      "providers/model-names.test.ts: a model has one name, with `models/` before it or not: %s %s",
    ],
    "the request id of a client and its retry count are kept": [
      "gateway/metadata.test.ts: keeps the request id that a client gives its request",
      "gateway/metadata.test.ts: keeps how often an SDK has sent the same request before",
    ],
    "a transcription by duration has no cost where no rate is known": [
      "vectors/answers.json: seconds of audio without a rate are not known, which is not 0",
    ],
  },
}
