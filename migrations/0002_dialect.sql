-- 0002 dialect
-- breaking: no

-- The API dialect by which the answer was metered, so that it can be metered and priced again. NULL: not known, which
-- holds for all rows from before this version.
ALTER TABLE llm_requests ADD COLUMN dialect text;
