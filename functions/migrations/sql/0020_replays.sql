-- How fast an endpoint is sent what it missed; null is the platform's own pace.

ALTER TABLE webhook_endpoints
    ADD COLUMN replay_per_second integer CHECK (replay_per_second BETWEEN 1 AND 1000);
GRANT UPDATE (replay_per_second) ON webhook_endpoints TO rmap_app;

-- What happened to one thing, in order: webhooks that keep it look for what has not come to them yet.
CREATE INDEX outbox_subjects ON outbox (tenant_id, subject, id);
