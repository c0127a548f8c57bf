-- 0010 memory
-- breaking: no

-- While the disk of a gateway rejects writes, rows wait in its memory. How many of them the gateway has written over the
-- life of its journal is recorded by the same statement as the rows. So the next process knows which rows of a memory that
-- is gone were written, and counts the others as dropped.
ALTER TABLE majordomo_journals
  ADD COLUMN from_memory bigint NOT NULL DEFAULT 0;
