-- 0014 unusual
-- breaking: no
--
-- Reports by status and outcome take all requests from the rollups, and read the rows of those that are not as nearly all
-- are. The index contains the errors too, so that it replaces theirs.

CREATE INDEX idx_llm_requests_unusual ON llm_requests (created_at) WHERE status_code <> 200 OR outcome <> 'complete';
DROP INDEX idx_llm_requests_errors;
