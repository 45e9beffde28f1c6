-- Roles of a tenant's own making, beside the five that every tenant has. A member's role is one of either; who gives
-- it locks the row below, so that none is taken away while it is given.
CREATE TABLE roles (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    name        text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{1,39}$'
                                     AND name NOT IN ('owner', 'admin', 'manager', 'member', 'viewer', 'key', 'system')),
    description text NOT NULL CHECK (length(description) <= 255),
    permissions text[] NOT NULL CHECK (cardinality(permissions) BETWEEN 1 AND 100),
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
SELECT app.protect('roles');
GRANT SELECT, INSERT, DELETE ON roles TO rmap_app;
GRANT UPDATE (description, permissions, version, updated_at) ON roles TO rmap_app;

ALTER TABLE memberships DROP CONSTRAINT memberships_role_check;
ALTER TABLE memberships ADD CONSTRAINT memberships_role_check CHECK (role ~ '^[a-z][a-z0-9-]{1,39}$');
ALTER TABLE invitations DROP CONSTRAINT invitations_role_check;
ALTER TABLE invitations ADD CONSTRAINT invitations_role_check CHECK (role ~ '^[a-z][a-z0-9-]{1,39}$');
