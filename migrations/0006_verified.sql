-- 0006 verified
-- breaking: no

-- The periods whose totals `verify` has proven, so that it does not read their requests again while nothing has changed.
CREATE TABLE majordomo_verified (
  period       text NOT NULL CHECK (period IN ('day', 'week')),
  starts       date NOT NULL,                          -- a day (UTC), or the Monday of a week
  requests     bigint NOT NULL,                        -- the rows of llm_requests on that day, gaps included; 0 for a week
  gaps         bigint NOT NULL,                        -- those of them with the outcome 'gap'
  dropped      bigint NOT NULL,                        -- the requests that these gaps stand for
  digest       text NOT NULL,                          -- of all rollups of the period, as they were when they were proven
  verified_at  timestamptz NOT NULL,
  PRIMARY KEY (period, starts)
);

-- A cost is a number or NULL. NaN would make every total that contains it NaN. (Infinity does not fit numeric(20,12).)
-- NOT VALID: new and changed rows are checked, and a large table is not read while it is locked. `verify` finds NaN in rows
-- from before, and `verify --repair` makes it NULL.
ALTER TABLE llm_requests ADD CONSTRAINT llm_requests_cost_is_number
  CHECK (input_cost <> 'NaN' AND output_cost <> 'NaN' AND total_cost <> 'NaN') NOT VALID;
