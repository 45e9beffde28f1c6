-- Billing and usage: the inbox of Stripe's events, dunning, and a ledger of what tenants use.

-- billing_events is the inbox: what each event said, and what became of it. Replaying judges it anew.
ALTER TABLE billing_events
    ADD COLUMN outcome text NOT NULL DEFAULT 'applied',
    ADD COLUMN status  text,
    ADD COLUMN data    jsonb NOT NULL DEFAULT '{}';
CREATE INDEX billing_events_age ON billing_events (tenant_id, created_at);
GRANT UPDATE (applied, outcome) ON billing_events TO rmap_app;

ALTER TABLE tenants
    ADD COLUMN billing_period_end timestamptz,
    ADD COLUMN billing_trial_end  timestamptz,
    ADD COLUMN billing_cancels    boolean NOT NULL DEFAULT false,
    ADD COLUMN billing_next_plan  text,
    ADD COLUMN dunning_since      timestamptz,
    ADD COLUMN dunning_stage      text NOT NULL DEFAULT '' CHECK (dunning_stage IN ('', 'restricted', 'suspended'));
GRANT UPDATE (billing_period_end, billing_trial_end, billing_cancels, billing_next_plan, dunning_since, dunning_stage)
    ON tenants TO rmap_app;

-- Which step of dunning was taken when; `since` is when the debt began.
CREATE TABLE dunning_steps (
    tenant_id uuid NOT NULL REFERENCES tenants,
    step      text NOT NULL,
    since     timestamptz NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, step, since)
);
SELECT app.protect('dunning_steps');
GRANT SELECT, INSERT ON dunning_steps TO rmap_app;

-- What was used, each thing once: a source names its events.
CREATE TABLE usage_events (
    tenant_id   uuid NOT NULL,
    source      text NOT NULL,
    id          text NOT NULL,
    meter       text NOT NULL,
    at          timestamptz NOT NULL,
    quantity    bigint NOT NULL CHECK (quantity >= 0),
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source, id)
);
CREATE INDEX usage_events_age ON usage_events (tenant_id, received_at);
SELECT app.protect('usage_events');
GRANT SELECT, INSERT, DELETE ON usage_events TO rmap_app;

-- The sums, moved with each event. `planned` is how much of an hour has been made into pushes to Stripe, in `parts`.
CREATE TABLE usage_hourly (
    tenant_id uuid NOT NULL,
    meter     text NOT NULL,
    hour      timestamptz NOT NULL,
    quantity  bigint NOT NULL,
    planned   bigint NOT NULL DEFAULT 0,
    parts     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, meter, hour)
);
CREATE INDEX usage_hourly_unplanned ON usage_hourly (tenant_id, hour) WHERE quantity > planned;
SELECT app.protect('usage_hourly');
GRANT SELECT, INSERT, UPDATE (quantity, planned, parts) ON usage_hourly TO rmap_app;

CREATE TABLE usage_monthly (
    tenant_id uuid NOT NULL,
    meter     text NOT NULL,
    month     date NOT NULL,
    quantity  bigint NOT NULL,
    PRIMARY KEY (tenant_id, meter, month)
);
SELECT app.protect('usage_monthly');
GRANT SELECT, INSERT, UPDATE (quantity) ON usage_monthly TO rmap_app;

-- What Stripe is told: a part's quantity never changes, so its identifier always means the same.
CREATE TABLE usage_pushes (
    tenant_id  uuid NOT NULL,
    meter      text NOT NULL,
    hour       timestamptz NOT NULL,
    part       integer NOT NULL,
    quantity   bigint NOT NULL,
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'pushed', 'refused')),
    reason     text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    pushed_at  timestamptz,
    PRIMARY KEY (tenant_id, meter, hour, part)
);
CREATE INDEX usage_pushes_waiting ON usage_pushes (tenant_id, hour) WHERE state = 'waiting';
SELECT app.protect('usage_pushes');
GRANT SELECT, INSERT, UPDATE (state, reason, pushed_at) ON usage_pushes TO rmap_app;

CREATE TABLE usage_alerts (
    tenant_id uuid NOT NULL,
    meter     text NOT NULL,
    month     date NOT NULL,
    threshold smallint NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, meter, month, threshold)
);
SELECT app.protect('usage_alerts');
GRANT SELECT, INSERT ON usage_alerts TO rmap_app;
