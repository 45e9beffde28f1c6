-- Log-in by an organization's own identity provider (OpenID Connect), for people whose mail domain is the organization's.
CREATE TABLE domains (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    domain      text NOT NULL CHECK (domain = lower(domain) AND length(domain) <= 253 AND position('.' IN domain) > 0),
    challenge   text NOT NULL,
    created_at  timestamptz NOT NULL,
    verified_at timestamptz,
    PRIMARY KEY (tenant_id, domain)
);
-- Only who holds the domain's DNS can verify it, so its uniqueness tells nobody else anything.
CREATE UNIQUE INDEX domains_verified ON domains (domain) WHERE verified_at IS NOT NULL;
SELECT app.protect('domains');
GRANT SELECT, INSERT, DELETE ON domains TO rmap_app;
GRANT UPDATE (verified_at) ON domains TO rmap_app;

-- One provider for each tenant. The client's secret is sealed by KMS for this tenant and purpose.
CREATE TABLE identity_providers (
    tenant_id     uuid PRIMARY KEY REFERENCES tenants,
    issuer        text NOT NULL CHECK (length(issuer) <= 2048),
    client_id     text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 255),
    client_secret bytea NOT NULL,
    role_claim    text NOT NULL CHECK (length(role_claim) <= 255),
    role_map      jsonb NOT NULL,
    default_role  text CHECK (default_role ~ '^[a-z][a-z0-9-]{1,39}$'),
    return_urls   text[] NOT NULL CHECK (cardinality(return_urls) BETWEEN 1 AND 10),
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
SELECT app.protect('identity_providers');
GRANT SELECT, INSERT, DELETE ON identity_providers TO rmap_app;
GRANT UPDATE (issuer, client_id, client_secret, role_claim, role_map, default_role, return_urls, version, updated_at)
    ON identity_providers TO rmap_app;

-- Which member a provider's subject is.
CREATE TABLE provider_subjects (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    issuer     text NOT NULL,
    subject    text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    user_id    uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, issuer, subject),
    FOREIGN KEY (tenant_id, user_id) REFERENCES memberships ON DELETE CASCADE
);
CREATE INDEX provider_subjects_user ON provider_subjects (tenant_id, user_id);
SELECT app.protect('provider_subjects');
GRANT SELECT, INSERT, DELETE ON provider_subjects TO rmap_app;

ALTER TABLE tenants ADD COLUMN sso_only boolean NOT NULL DEFAULT false;
GRANT UPDATE (sso_only) ON tenants TO rmap_app;

GRANT SELECT (sso_only) ON tenants TO rmap_door;
GRANT SELECT (email_verified_at) ON users TO rmap_door;
GRANT SELECT (tenant_id, name, permissions) ON roles TO rmap_door;
GRANT SELECT (tenant_id) ON identity_providers TO rmap_door;
GRANT SELECT (tenant_id, domain, verified_at) ON domains TO rmap_door;
CREATE POLICY door ON roles FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON identity_providers FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON domains FOR SELECT TO rmap_door USING (true);
GRANT CREATE ON SCHEMA app TO rmap_door;

-- Switching and refreshing: in place of app.places_of.
CREATE FUNCTION app.places(member uuid)
RETURNS TABLE (tenant_id uuid, slug text, tenant_name text, role text, status text, mfa_required boolean,
               sso_only boolean, has_provider boolean, permissions text[], plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, m.role, t.status, t.mfa_required, t.sso_only,
           EXISTS (SELECT FROM identity_providers p WHERE p.tenant_id = t.tenant_id), r.permissions,
           t.plan
    FROM memberships m
    JOIN tenants t USING (tenant_id)
    LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.name = m.role
    WHERE m.user_id = member
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.places(uuid) OWNER TO rmap_door;

-- Log-in: in place of app.find_user.
CREATE FUNCTION app.find_account(login_email text)
RETURNS TABLE (user_id uuid, user_name text, password_hash text, confirmed boolean, tenant_id uuid, slug text,
               tenant_name text, role text, status text, mfa_required boolean, sso_only boolean, has_provider boolean,
               permissions text[], plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u.user_id, u.name, u.password_hash, u.email_verified_at IS NOT NULL, p.*
    FROM users u LEFT JOIN LATERAL app.places(u.user_id) p ON true
    WHERE u.email = lower(login_email)
$$;
ALTER FUNCTION app.find_account(text) OWNER TO rmap_door;

-- Log-in by a provider: the tenant of a slug or of a verified mail domain, if it has a provider. Both are public.
CREATE FUNCTION app.provider_place(place text) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p.tenant_id FROM identity_providers p JOIN tenants t USING (tenant_id)
    WHERE t.slug = lower(place)
          OR EXISTS (SELECT FROM domains d
                     WHERE d.tenant_id = p.tenant_id AND d.domain = lower(place) AND d.verified_at IS NOT NULL)
$$;
ALTER FUNCTION app.provider_place(text) OWNER TO rmap_door;

REVOKE ALL ON FUNCTION app.places(uuid), app.find_account(text), app.provider_place(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.places(uuid), app.find_account(text), app.provider_place(text) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
