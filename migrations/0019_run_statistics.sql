-- 0019 run_statistics
-- breaking: no

-- Without statistics of this expression, the planner takes nearly every request for one of a run. A list of runs then reads
-- all requests of a long period instead of those in idx_llm_requests_runs_created_at.
CREATE STATISTICS llm_requests_run ON
  (coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')))
  FROM llm_requests;
ANALYZE llm_requests;
