-- Two roles for majordomo-gateway in one database. Run it once, as a superuser or as the database's owner with CREATEROLE:
--
--   psql -v owner_password=… -v gateway_password=… -f deploy/postgres-roles.sql postgres://postgres@HOST/majordomo
--
-- majordomo_owner  owns the schema "majordomo". Only `majordomo-gateway migrate` uses it.
-- majordomo        is the gateway: it reads and writes rows, and cannot create, change or drop anything. A trigger keeps
--                  it from changing the audit log (llm_audit).

CREATE ROLE majordomo_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE majordomo LOGIN PASSWORD :'gateway_password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;

-- Without this, every role of the server may connect, create temporary tables and look into the schema "public".
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO majordomo_owner, majordomo', current_database()) \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA majordomo;
GRANT USAGE ON SCHEMA majordomo TO majordomo;
-- A role that is no superuser gives tables and their rights away only as a member of their owner.
GRANT majordomo_owner TO CURRENT_USER;
ALTER SCHEMA majordomo OWNER TO majordomo_owner;

-- These apply to what migrations create, now and later.
ALTER DEFAULT PRIVILEGES FOR ROLE majordomo_owner IN SCHEMA majordomo
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO majordomo;
ALTER DEFAULT PRIVILEGES FOR ROLE majordomo_owner IN SCHEMA majordomo
  GRANT USAGE, SELECT ON SEQUENCES TO majordomo;
ALTER DEFAULT PRIVILEGES FOR ROLE majordomo_owner IN SCHEMA majordomo
  GRANT EXECUTE ON FUNCTIONS TO majordomo;
