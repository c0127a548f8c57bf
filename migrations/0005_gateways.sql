-- 0005 gateways
-- breaking: no

-- What `keys revoke` says about a gateway that does not answer. NULL: the row is of a program from before this version,
-- which accepts a key without limit while it cannot reach the database.
ALTER TABLE majordomo_gateways
  ADD COLUMN name text,                              -- host and process
  ADD COLUMN slot text,                              -- host and journal directory, which only one process has at a time
  ADD COLUMN offline_s integer;                      -- how long it accepts a key that it cannot check, in seconds
