-- 0012 access
-- breaking: no

SELECT 1;
