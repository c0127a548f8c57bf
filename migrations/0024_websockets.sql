-- 0024 websockets
-- breaking: no

-- How the client and the gateway exchanged the request and its response: 'websocket'. NULL: by a request of its own, which
-- holds for all rows from before this version.
ALTER TABLE llm_requests ADD COLUMN transport text;
-- The connection of a row whose transport is 'websocket'. All responses of one connection share it.
ALTER TABLE llm_requests ADD COLUMN websocket_id uuid;
