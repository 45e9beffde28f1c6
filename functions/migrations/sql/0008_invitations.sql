-- Who was asked to join a tenant. What the mail holds is a ticket elsewhere; whether it is still good is decided here.
CREATE TABLE invitations (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    email       text NOT NULL CHECK (email = lower(email) AND length(email) <= 254),
    role        text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'member', 'viewer')),
    invited_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at  timestamptz,
    PRIMARY KEY (tenant_id, id)
);
SELECT app.protect('invitations');
GRANT SELECT, INSERT, UPDATE (accepted_at, revoked_at) ON invitations TO rmap_app;
