-- 0022 reconciliations
-- breaking: no

-- What a provider billed for one UTC day, what was recorded, and the causes of the difference. A later comparison replaces the
-- row (src/database/reconciliations.ts).
CREATE TABLE llm_reconciliations (
  provider   text NOT NULL,
  account    text NOT NULL DEFAULT '',           -- the provider's id or name of the account; '': it names none
  day        date NOT NULL,
  billed     numeric NOT NULL,                   -- USD
  recorded   numeric NOT NULL,                   -- USD
  settling   boolean NOT NULL,                   -- the provider may still add to the day
  causes     jsonb NOT NULL,                     -- their amounts add up to billed - recorded
  notes      jsonb NOT NULL DEFAULT '[]',        -- what the source could not say
  source     text NOT NULL,                      -- api, legacy-api or import
  fetched_at timestamptz NOT NULL,               -- when the bill was read
  PRIMARY KEY (provider, account, day),
  CONSTRAINT llm_reconciliations_are_numbers CHECK (abs(billed) + abs(recorded) < 'Infinity')
);

-- The lines of bills that were imported from files. They are compared again when prices or rows have changed.
CREATE TABLE llm_bill_lines (
  provider    text NOT NULL,
  account     text NOT NULL DEFAULT '',
  day         date NOT NULL,
  line        integer NOT NULL,                  -- counts the lines of the import
  model       text,
  tier        text,
  bucket      text NOT NULL,
  key         text,                              -- the provider's id of its API key
  project     text,
  requests    bigint,
  quantity    numeric,
  list_cost   numeric,                           -- USD before discounts
  cost        numeric,                           -- USD
  item        text,                              -- the provider's own text of the line
  imported_at timestamptz NOT NULL,
  PRIMARY KEY (provider, account, day, line),
  CONSTRAINT llm_bill_lines_are_numbers
    CHECK (abs(coalesce(quantity, 0)) + abs(coalesce(list_cost, 0)) + abs(coalesce(cost, 0)) < 'Infinity')
);

-- The daily comparison: one of the gateways does it, and another one if that gateway dies or the provider does not answer.
CREATE TABLE majordomo_reconcile_runs (
  provider    text PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz                        -- of the last run that succeeded
);
