-- 0019 reports
-- breaking: no

-- Without statistics of this expression, the planner takes nearly every request for one of a run. A list of runs then reads
-- all requests of a long period instead of those in idx_llm_requests_runs_created_at.
CREATE STATISTICS llm_requests_run ON
  (coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')))
  FROM llm_requests;
ANALYZE llm_requests;

-- Reports by status and outcome read the unusual requests from the index alone. It contains what they add up.
DROP INDEX idx_llm_requests_unusual;
CREATE INDEX idx_llm_requests_unusual ON llm_requests (created_at)
  INCLUDE (status_code, outcome, billing, cost_status, total_cost, input_tokens, cached_tokens, cache_creation_tokens, output_tokens)
  WHERE status_code <> 200 OR outcome <> 'complete';
