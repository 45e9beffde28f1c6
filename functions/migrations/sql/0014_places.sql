-- Where an organization is and how it looks: settings, branding, and hosts of its own.

-- A slug is a label of a subdomain, and a label has 63 octets at most. Those of before stay as they are.
ALTER TABLE tenants ADD CONSTRAINT tenants_slug_is_a_label CHECK (length(slug) <= 63) NOT VALID;

CREATE TABLE tenant_settings (
    tenant_id     uuid PRIMARY KEY REFERENCES tenants,
    time_zone     text NOT NULL CHECK (length(time_zone) BETWEEN 1 AND 64),
    locale        text NOT NULL CHECK (length(locale) BETWEEN 2 AND 35),
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    week_start    text NOT NULL
        CHECK (week_start IN ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')),
    contact_email text CHECK (length(contact_email) <= 254),
    version       integer NOT NULL,
    updated_at    timestamptz NOT NULL
);
SELECT app.protect('tenant_settings');
GRANT SELECT, INSERT ON tenant_settings TO rmap_app;
GRANT UPDATE (time_zone, locale, currency, week_start, contact_email, version, updated_at)
    ON tenant_settings TO rmap_app;

-- Null is the platform's own choice.
CREATE TABLE tenant_branding (
    tenant_id     uuid PRIMARY KEY REFERENCES tenants,
    display_name  text CHECK (length(display_name) BETWEEN 1 AND 255),
    primary_color text CHECK (primary_color ~ '^#[0-9a-f]{6}$'),
    accent_color  text CHECK (accent_color ~ '^#[0-9a-f]{6}$'),
    logo_url      text CHECK (logo_url ~ '^https://' AND length(logo_url) <= 2048),
    logo_alt      text CHECK (length(logo_alt) BETWEEN 1 AND 255),
    support_email text CHECK (length(support_email) <= 254),
    support_url   text CHECK (support_url ~ '^https://' AND length(support_url) <= 2048),
    footer        text CHECK (length(footer) <= 1000),
    version       integer NOT NULL,
    updated_at    timestamptz NOT NULL,
    CHECK ((logo_url IS NULL) = (logo_alt IS NULL))
);
SELECT app.protect('tenant_branding');
GRANT SELECT, INSERT ON tenant_branding TO rmap_app;
GRANT UPDATE (display_name, primary_color, accent_color, logo_url, logo_alt, support_email, support_url, footer,
              version, updated_at) ON tenant_branding TO rmap_app;

CREATE TABLE custom_domains (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    domain      text NOT NULL CHECK (domain = lower(domain) AND length(domain) <= 253 AND position('.' IN domain) > 0),
    challenge   text NOT NULL,
    created_at  timestamptz NOT NULL,
    verified_at timestamptz,
    PRIMARY KEY (tenant_id, domain)
);
-- Only who holds the domain's DNS can verify it, so its uniqueness tells nobody else anything.
CREATE UNIQUE INDEX custom_domains_verified ON custom_domains (domain) WHERE verified_at IS NOT NULL;
SELECT app.protect('custom_domains');
GRANT SELECT, INSERT, DELETE ON custom_domains TO rmap_app;
GRANT UPDATE (verified_at) ON custom_domains TO rmap_app;

-- Custom domains are counted, claims included, and everybody may take their data along: in place of the same of 0011.
CREATE OR REPLACE FUNCTION app.plans() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{
    "free": {"features": [],
        "limits": {"users": 3, "campaigns": 5, "sites": 1, "sensors": 5, "webhook_endpoints": 1,
                   "custom_domains": 0}},
    "starter": {"features": ["webhooks"],
        "limits": {"users": 10, "campaigns": 50, "sites": 10, "sensors": 50, "webhook_endpoints": 5,
                   "custom_domains": 0}},
    "professional": {"features": ["custom_roles", "webhooks"],
        "limits": {"users": 50, "campaigns": 500, "sites": 100, "sensors": 1000, "webhook_endpoints": 25,
                   "custom_domains": 1}},
    "enterprise": {"features": ["custom_roles", "sso", "webhooks"],
        "limits": {"users": null, "campaigns": null, "sites": null, "sensors": null, "webhook_endpoints": 100,
                   "custom_domains": 10}}
}'::jsonb;

-- A plan by its name; one that there is not is starter, as the kernel has it (tenant_context/plans.py).
CREATE FUNCTION app.plan_of(called text) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(app.plans() -> called, app.plans() -> 'starter');
-- Rows of before are not looked at.
ALTER TABLE tenants ADD CONSTRAINT tenants_plan_is_one
    CHECK (plan IN ('free', 'starter', 'professional', 'enterprise')) NOT VALID;

-- In place of the same of 0011: of no plan is starter's.
CREATE OR REPLACE FUNCTION app.allowance(of_tenant uuid, what text, moment timestamptz,
                                         OUT allowed bigint, OUT granted boolean, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    given record;
BEGIN
    SELECT (app.plan_of(t.plan) -> 'limits' ->> what)::bigint INTO allowed FROM tenants t WHERE t.tenant_id = of_tenant;
    granted := false;
    SELECT g.amount, g.until INTO given FROM grants g
    WHERE g.tenant_id = of_tenant AND g.name = what AND g.kind = 'value' AND g.revoked_at IS NULL
          AND (g.until IS NULL OR g.until > moment)
    ORDER BY g.id DESC LIMIT 1;
    IF FOUND THEN
        allowed := given.amount;
        granted := true;
        ends_at := given.until;
    END IF;
    SELECT sum(g.amount)::bigint AS amount, min(g.until) AS until INTO given FROM grants g
    WHERE g.tenant_id = of_tenant AND g.name = what AND g.kind = 'extra' AND g.revoked_at IS NULL
          AND (g.until IS NULL OR g.until > moment);
    IF given.amount IS NOT NULL THEN
        allowed := allowed + given.amount;
        granted := true;
        ends_at := least(ends_at, given.until);
    END IF;
END
$$;

-- Where no subscription is known yet, it is not on trial; before, that was every feature.
CREATE OR REPLACE FUNCTION app.has_feature(of_tenant uuid, what text, moment timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(bool_or(
        app.plan_of(t.plan) -> 'features' ? what
        OR coalesce(t.subscription_status = 'trialing', false)
        OR (t.status = 'billing_pending' AND t.stripe_subscription_id IS NULL)
        OR EXISTS (SELECT FROM grants g
                   WHERE g.tenant_id = of_tenant AND g.name = what AND g.kind = 'feature' AND g.revoked_at IS NULL
                         AND (g.until IS NULL OR g.until > moment))), true)
    FROM tenants t WHERE t.tenant_id = of_tenant
$$;

CREATE OR REPLACE FUNCTION app.usage(of_tenant uuid, what text, moment timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CASE what
        WHEN 'users' THEN
            RETURN (SELECT count(*) FROM memberships m WHERE m.tenant_id = of_tenant)
                   + (SELECT count(*) FROM invitations i
                      WHERE i.tenant_id = of_tenant AND i.accepted_at IS NULL AND i.revoked_at IS NULL
                            AND i.expires_at > moment);
        WHEN 'campaigns' THEN
            RETURN (SELECT count(*) FROM campaigns c WHERE c.tenant_id = of_tenant AND c.status <> 'archived');
        WHEN 'sites' THEN
            RETURN (SELECT count(*) FROM sites s WHERE s.tenant_id = of_tenant);
        WHEN 'sensors' THEN
            RETURN (SELECT count(*) FROM sensors s WHERE s.tenant_id = of_tenant AND s.status <> 'retired');
        WHEN 'webhook_endpoints' THEN
            RETURN (SELECT count(*) FROM webhook_endpoints e WHERE e.tenant_id = of_tenant);
        WHEN 'custom_domains' THEN
            RETURN (SELECT count(*) FROM custom_domains d WHERE d.tenant_id = of_tenant);
        ELSE
            RETURN NULL;
    END CASE;
END
$$;
CREATE TRIGGER keep_limit BEFORE INSERT ON custom_domains FOR EACH ROW EXECUTE FUNCTION app.keep_limit('custom_domains');

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, display_name, primary_color, accent_color, logo_url, logo_alt, support_email, support_url,
              footer) ON tenant_branding TO rmap_door;
GRANT SELECT (tenant_id, domain, verified_at) ON custom_domains TO rmap_door;
CREATE POLICY door ON tenant_branding FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON custom_domains FOR SELECT TO rmap_door USING (true);

-- Pages to log in at: the organization at a slug or at a verified domain, and how it looks. One of the two is null.
-- It tells no id, and of a closed organization nothing.
CREATE FUNCTION app.place_at(place_slug text, place_domain text)
RETURNS TABLE (slug text, tenant_name text, single_sign_on boolean, display_name text, primary_color text,
               accent_color text, logo_url text, logo_alt text, support_email text, support_url text, footer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.slug, t.name, EXISTS (SELECT FROM identity_providers p WHERE p.tenant_id = t.tenant_id),
           b.display_name, b.primary_color, b.accent_color, b.logo_url, b.logo_alt, b.support_email, b.support_url,
           b.footer
    FROM tenants t LEFT JOIN tenant_branding b ON b.tenant_id = t.tenant_id
    WHERE t.status <> 'closed'
          AND (t.slug = place_slug
               OR t.tenant_id = (SELECT d.tenant_id FROM custom_domains d
                                 WHERE d.domain = place_domain AND d.verified_at IS NOT NULL))
$$;
ALTER FUNCTION app.place_at(text, text) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.place_at(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.place_at(text, text) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
