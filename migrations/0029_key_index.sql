-- 0029 key_index
-- breaking: no
--
-- The index on the key and the time of a request took 40 to 70 bytes per request: its entries are all different, and those
-- of many keys are added in turns, so its pages are half empty. Nothing reads it in the order of time: lists are in the order
-- of created_at. An index on the key alone stores each key once for many requests, and takes about 8 bytes.

LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

CREATE INDEX idx_llm_requests_majordomo_key ON llm_requests (majordomo_api_key_id);
DROP INDEX IF EXISTS idx_llm_requests_majordomo_key_time;
