-- 0012 access
-- breaking: no

-- Who may use the admin API: the holders of admin tokens, and people who signed in to the dashboard. Of tokens, sessions and
-- sign-in codes, only the SHA-256 hash is stored.
CREATE TABLE majordomo_admin_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  role text NOT NULL CONSTRAINT majordomo_admin_tokens_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  token_hash text NOT NULL CONSTRAINT majordomo_admin_tokens_hash UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

CREATE TABLE majordomo_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  secret_hash text NOT NULL CONSTRAINT majordomo_sessions_hash UNIQUE,
  name text NOT NULL,
  role text NOT NULL CONSTRAINT majordomo_sessions_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  -- How the person signed in.
  how text NOT NULL CONSTRAINT majordomo_sessions_how CHECK (how IN ('token', 'code', 'oidc')),
  -- The token of the sign-in. A session is not valid when its token is not.
  token_id uuid CONSTRAINT majordomo_sessions_token REFERENCES majordomo_admin_tokens,
  address text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  last_seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX majordomo_sessions_expire ON majordomo_sessions (expires_at);

-- The codes of the links that `majordomo-gateway dashboard` prints. Each works once.
CREATE TABLE majordomo_sign_in_codes (
  code_hash text PRIMARY KEY,
  role text NOT NULL CONSTRAINT majordomo_sign_in_codes_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

-- The key that signs the cookies of sessions, in base64url. A cookie with another signature is rejected without a query.
ALTER TABLE majordomo_schema ADD COLUMN cookie_key text;

-- One row for each change that somebody made: who, when, from where, and what it was before and after.
CREATE TABLE llm_audit (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_kind text NOT NULL,
  actor_name text NOT NULL,
  -- The id of the token, session or key.
  actor_id text,
  address text,
  action text NOT NULL,
  -- The id or the name of what was changed.
  target text,
  before jsonb,
  after jsonb
);
CREATE INDEX llm_audit_at ON llm_audit (at, id);
CREATE TRIGGER majordomo_only_add BEFORE UPDATE OR DELETE OR TRUNCATE ON llm_audit
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_add();
