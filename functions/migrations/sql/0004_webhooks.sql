-- Where events are delivered. Messages, deliveries and attempts live in DynamoDB.

CREATE TABLE webhook_endpoints (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    url         text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
    description text NOT NULL DEFAULT '',
    event_types text[] NOT NULL,
    -- The signing secret, encrypted by KMS with the tenant and the endpoint as context.
    secret      bytea NOT NULL,
    -- Its predecessor signs as well until then.
    old_secret       bytea,
    old_secret_until timestamptz,
    enabled     boolean NOT NULL DEFAULT true,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
SELECT app.protect('webhook_endpoints');
GRANT SELECT, INSERT, DELETE ON webhook_endpoints TO rmap_app;
GRANT UPDATE (url, description, event_types, secret, old_secret, old_secret_until, enabled, version, updated_at)
    ON webhook_endpoints TO rmap_app;
