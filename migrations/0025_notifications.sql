-- 0025 notifications
-- breaking: no

-- What operators are told. Gateways that find the same thing write the same kind, subject and period, so that it is sent once
-- (src/database/notifications.ts).
CREATE TABLE majordomo_notifications (
  id         uuid PRIMARY KEY,
  identity   text NOT NULL UNIQUE,               -- SHA-256 of kind, subject and period, which can be long
  kind       text NOT NULL,
  subject    text NOT NULL,                      -- what it is about
  period     text NOT NULL,                      -- when it is sent once; '': it is never sent again
  severity   text NOT NULL,                      -- info, warning or critical
  found_at   timestamptz NOT NULL,
  facts      jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_majordomo_notifications_created_at ON majordomo_notifications (created_at);

-- One message for each channel of a notification. A gateway that sends it moves next_attempt_at into the future first, so that
-- no other one sends it meanwhile, and another one does if the gateway dies.
CREATE TABLE majordomo_deliveries (
  id              uuid NOT NULL UNIQUE,          -- the same in all attempts, so that receivers can tell
  notification_id uuid NOT NULL REFERENCES majordomo_notifications ON DELETE CASCADE,
  channel         text NOT NULL,                 -- its name in the settings
  state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts        integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  attempted_at    timestamptz,
  sent_at         timestamptz,
  error           text,                          -- why the last attempt failed
  PRIMARY KEY (notification_id, channel)
);
CREATE INDEX idx_majordomo_deliveries_waiting ON majordomo_deliveries (next_attempt_at) WHERE state = 'waiting';

-- Work that one of the gateways does at a time, such as a digest, and another one if that gateway dies.
CREATE TABLE majordomo_notification_runs (
  name        text PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz                        -- of the last run that succeeded
);
