-- What an endpoint asks for beside types of events, how it is called, and which keys sign for it.

ALTER TABLE webhook_endpoints
    -- [{"path": …, "op": …, "value": …}], all of which have to hold.
    ADD COLUMN conditions      jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(conditions) = 'array'),
    ADD COLUMN site_ids        uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN campaign_ids    uuid[] NOT NULL DEFAULT '{}',
    -- Each value sealed by itself, by the header's name.
    ADD COLUMN secret_headers  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(secret_headers) = 'object'),
    ADD COLUMN payload_version integer NOT NULL DEFAULT 1,
    -- Seconds between attempts; null is the platform's own schedule.
    ADD COLUMN retry_schedule  integer[],
    ADD COLUMN timeout_seconds integer NOT NULL DEFAULT 15 CHECK (timeout_seconds BETWEEN 1 AND 30),
    ADD COLUMN rate_per_second integer CHECK (rate_per_second BETWEEN 1 AND 1000),
    ADD COLUMN max_concurrency integer CHECK (max_concurrency BETWEEN 1 AND 100),
    ADD COLUMN ordering        text NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'entity')),
    -- Who switched it off, and when.
    ADD COLUMN disabled_by     text,
    ADD COLUMN disabled_at     timestamptz,
    -- Every key that signs or did until lately, sealed; empty in a row of the release before, whose `secret` counts.
    -- `secret` goes on holding the newest symmetric one, for that release, and is empty where there is none.
    ADD COLUMN secret_keys     jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(secret_keys) = 'array'),
    -- Whether its URL has to answer a challenge before anything is sent there. Those that are here already need not.
    ADD COLUMN must_prove      boolean NOT NULL DEFAULT false;
ALTER TABLE webhook_endpoints ALTER COLUMN must_prove SET DEFAULT true;

GRANT UPDATE (conditions, site_ids, campaign_ids, secret_headers, payload_version, retry_schedule, timeout_seconds,
              rate_per_second, max_concurrency, ordering, disabled_by, disabled_at, secret_keys, must_prove)
    ON webhook_endpoints TO rmap_app;
