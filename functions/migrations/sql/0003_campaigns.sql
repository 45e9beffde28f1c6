-- Campaigns, where they run, what was done to them, and how they perform.

CREATE TABLE campaigns (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    type       text NOT NULL CHECK (type IN ('in_store', 'onsite', 'offsite', 'google_ads', 'meta_ads')),
    status     text NOT NULL CHECK (status IN ('draft', 'active', 'paused', 'completed', 'archived')),
    budget     numeric(14, 2) NOT NULL CHECK (budget >= 0),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    starts_at  timestamptz,
    ends_at    timestamptz,
    version    integer NOT NULL DEFAULT 1,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    launched_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK (ends_at IS NULL OR starts_at IS NULL OR ends_at > starts_at)
);
CREATE INDEX campaigns_newest ON campaigns (tenant_id, created_at DESC, id DESC);
SELECT app.protect('campaigns');
GRANT SELECT, INSERT, DELETE ON campaigns TO rmap_app;
GRANT UPDATE (name, type, status, budget, currency, starts_at, ends_at, version, updated_at, launched_at)
    ON campaigns TO rmap_app;

CREATE TABLE campaign_sites (
    tenant_id   uuid NOT NULL,
    campaign_id uuid NOT NULL,
    site_id     uuid NOT NULL,
    PRIMARY KEY (tenant_id, campaign_id, site_id),
    FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id)
);
CREATE INDEX campaign_sites_site ON campaign_sites (tenant_id, site_id);
SELECT app.protect('campaign_sites');
GRANT SELECT, INSERT, DELETE ON campaign_sites TO rmap_app;

CREATE TABLE campaign_performance (
    tenant_id    uuid NOT NULL,
    campaign_id  uuid NOT NULL,
    day          date NOT NULL,
    footfall     bigint NOT NULL,
    transactions bigint NOT NULL,
    revenue      numeric(18, 4) NOT NULL,
    refreshed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, campaign_id, day),
    FOREIGN KEY (tenant_id, campaign_id) REFERENCES campaigns (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('campaign_performance');
GRANT SELECT, INSERT, UPDATE (footfall, transactions, revenue, refreshed_at), DELETE ON campaign_performance TO rmap_app;
