-- 0025 notifications
-- breaking: no

-- The tables of notifications come here.
