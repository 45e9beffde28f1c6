-- Plans: what each allows, what was granted beyond it, and triggers that hold creations to it. And the life of a tenant.

-- The plans as data, the same as tenant_context/plans.py: a test holds the two together. Another plan is another
-- migration that replaces this function. Null is without limit.
CREATE FUNCTION app.plans() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{
    "free": {"features": [],
        "limits": {"users": 3, "campaigns": 5, "sites": 1, "sensors": 5, "webhook_endpoints": 1}},
    "starter": {"features": ["webhooks"],
        "limits": {"users": 10, "campaigns": 50, "sites": 10, "sensors": 50, "webhook_endpoints": 5}},
    "professional": {"features": ["custom_roles", "exports", "webhooks"],
        "limits": {"users": 50, "campaigns": 500, "sites": 100, "sensors": 1000, "webhook_endpoints": 25}},
    "enterprise": {"features": ["custom_roles", "exports", "sso", "webhooks"],
        "limits": {"users": null, "campaigns": null, "sites": null, "sensors": null, "webhook_endpoints": 100}}
}'::jsonb;

-- What operators gave one tenant beyond its plan: another value of a limit, so much more of it, or a feature.
CREATE TABLE grants (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('value', 'extra', 'feature')),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    amount     bigint CHECK (amount >= 0),
    reason     text NOT NULL CHECK (length(reason) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    until      timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK (kind <> 'extra' OR amount IS NOT NULL)
);
CREATE INDEX grants_name ON grants (tenant_id, name);
SELECT app.protect('grants');
GRANT SELECT, INSERT, UPDATE (revoked_at) ON grants TO rmap_app;

-- How much of a thing a tenant may have at a moment; null is without limit. `until`: when a grant in it ends.
CREATE FUNCTION app.allowance(of_tenant uuid, what text, moment timestamptz,
                              OUT allowed bigint, OUT granted boolean, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    given record;
BEGIN
    SELECT (app.plans() -> t.plan -> 'limits' ->> what)::bigint INTO allowed FROM tenants t WHERE t.tenant_id = of_tenant;
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

-- How much of a thing a tenant has. People who were asked to join count until they come or their time is over.
CREATE FUNCTION app.usage(of_tenant uuid, what text, moment timestamptz) RETURNS bigint
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
        ELSE
            RETURN NULL;
    END CASE;
END
$$;

-- Whether a tenant has a feature: by its plan or a grant; while it is on trial, and before billing began, every one.
CREATE FUNCTION app.has_feature(of_tenant uuid, what text, moment timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(bool_or(
        NOT app.plans() ? t.plan
        OR app.plans() -> t.plan -> 'features' ? what
        OR t.subscription_status = 'trialing'
        OR (t.status = 'billing_pending' AND t.stripe_subscription_id IS NULL)
        OR EXISTS (SELECT FROM grants g
                   WHERE g.tenant_id = of_tenant AND g.name = what AND g.kind = 'feature' AND g.revoked_at IS NULL
                         AND (g.until IS NULL OR g.until > moment))), true)
    FROM tenants t WHERE t.tenant_id = of_tenant
$$;

-- Who creates holds the lock of that tenant and limit to the end of the transaction, so that the count after it sees
-- every creation before: exact, within the statement that creates. As whoever creates: row level security holds.
CREATE FUNCTION app.keep_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text := TG_ARGV[0];
    may record;
    used bigint;
BEGIN
    SELECT * INTO may FROM app.allowance(NEW.tenant_id, what, NEW.created_at);
    IF may.allowed IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(what || NEW.tenant_id::text, 0));
    used := app.usage(NEW.tenant_id, what, NEW.created_at);
    IF used >= may.allowed THEN
        RAISE EXCEPTION USING ERRCODE = 'RM402', MESSAGE = 'limit reached', DETAIL = json_build_object(
            'limit', what, 'value', may.allowed, 'usage', used)::text;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION app.keep_feature() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT app.has_feature(NEW.tenant_id, TG_ARGV[0], NEW.updated_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'RM403', MESSAGE = 'feature not in plan', DETAIL = json_build_object(
            'feature', TG_ARGV[0])::text;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER keep_limit BEFORE INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION app.keep_limit('users');
CREATE TRIGGER keep_limit BEFORE INSERT ON invitations FOR EACH ROW EXECUTE FUNCTION app.keep_limit('users');
CREATE TRIGGER keep_limit BEFORE INSERT ON campaigns FOR EACH ROW EXECUTE FUNCTION app.keep_limit('campaigns');
CREATE TRIGGER keep_limit BEFORE INSERT ON sites FOR EACH ROW EXECUTE FUNCTION app.keep_limit('sites');
CREATE TRIGGER keep_limit BEFORE INSERT ON sensors FOR EACH ROW EXECUTE FUNCTION app.keep_limit('sensors');
CREATE TRIGGER keep_limit BEFORE INSERT ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION app.keep_limit('webhook_endpoints');
-- What was put away and comes back counts as new.
CREATE TRIGGER keep_limit_back BEFORE UPDATE OF status ON campaigns FOR EACH ROW
    WHEN (OLD.status = 'archived' AND NEW.status <> 'archived') EXECUTE FUNCTION app.keep_limit('campaigns');
CREATE TRIGGER keep_limit_back BEFORE UPDATE OF status ON sensors FOR EACH ROW
    WHEN (OLD.status = 'retired' AND NEW.status <> 'retired') EXECUTE FUNCTION app.keep_limit('sensors');

-- What a tenant set up while it had the feature goes on; endpoints may be changed, so that a leaked secret can go.
CREATE TRIGGER keep_feature BEFORE INSERT OR UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION app.keep_feature('custom_roles');
CREATE TRIGGER keep_feature BEFORE INSERT ON identity_providers FOR EACH ROW EXECUTE FUNCTION app.keep_feature('sso');
CREATE TRIGGER keep_feature BEFORE INSERT ON webhook_endpoints FOR EACH ROW EXECUTE FUNCTION app.keep_feature('webhooks');

-- Everything about a tenant's limits, for whoever asks.
CREATE FUNCTION app.limits(of_tenant uuid, names text[], moment timestamptz)
RETURNS TABLE (name text, allowed bigint, used bigint, granted boolean, ends_at timestamptz)
LANGUAGE sql VOLATILE AS $$
    SELECT n.name, a.allowed, app.usage(of_tenant, n.name, moment), a.granted, a.ends_at
    FROM unnest(names) WITH ORDINALITY n(name, place), app.allowance(of_tenant, n.name, moment) a
    ORDER BY n.place
$$;

-- The life of a tenant. Which state leads to which, and what each permits, stands in tenant_context/states.py.
ALTER TABLE tenants
    ADD COLUMN status_reason text NOT NULL DEFAULT '',
    ADD COLUMN status_since timestamptz,
    ADD COLUMN closes_at timestamptz,
    ADD COLUMN reopens_as text;
GRANT UPDATE (status_reason, status_since, closes_at, reopens_as) ON tenants TO rmap_app;

-- The door of workers: in only while the tenant is in one of these states.
CREATE FUNCTION app.enter_in(of_tenant uuid, app_user uuid, request text, states text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    present text;
BEGIN
    PERFORM app.enter(of_tenant, app_user, request);
    SELECT t.status INTO present FROM tenants t WHERE t.tenant_id = of_tenant;
    IF present <> ALL (states) THEN
        RAISE EXCEPTION USING ERRCODE = 'RM410', MESSAGE = 'not in this state', DETAIL = json_build_object(
            'state', present)::text;
    END IF;
END
$$;

GRANT CREATE ON SCHEMA app TO rmap_door;
-- Log-in, switching and refreshing are told the plan as well: tokens say how fast the tenant may call.
DROP FUNCTION app.find_account(text);
DROP FUNCTION app.places(uuid);
CREATE FUNCTION app.places(member uuid)
RETURNS TABLE (tenant_id uuid, slug text, tenant_name text, role text, status text, mfa_required boolean,
               sso_only boolean, provider text, permissions text[], plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, m.role, t.status, t.mfa_required, t.sso_only, p.issuer, r.permissions, t.plan
    FROM memberships m
    JOIN tenants t USING (tenant_id)
    LEFT JOIN identity_providers p ON p.tenant_id = t.tenant_id
    LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.name = m.role
    WHERE m.user_id = member
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.places(uuid) OWNER TO rmap_door;
CREATE FUNCTION app.find_account(login_email text)
RETURNS TABLE (user_id uuid, user_name text, password_hash text, confirmed boolean, tenant_id uuid, slug text,
               tenant_name text, role text, status text, mfa_required boolean, sso_only boolean, provider text,
               permissions text[], plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u.user_id, u.name, u.password_hash, u.email_verified_at IS NOT NULL, p.*
    FROM users u LEFT JOIN LATERAL app.places(u.user_id) p ON true
    WHERE u.email = login_email
$$;
ALTER FUNCTION app.find_account(text) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.places(uuid), app.find_account(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.places(uuid), app.find_account(text) TO rmap_app;

-- Timed work: in place of app.tenants_at_work; the ids of tenants in some states, page by page.
CREATE FUNCTION app.tenants_in(states text[], after uuid, page integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t
    WHERE t.status = ANY (states) AND (after IS NULL OR t.tenant_id > after)
    ORDER BY t.tenant_id
    LIMIT page
$$;
ALTER FUNCTION app.tenants_in(text[], uuid, integer) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.tenants_in(text[], uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_in(text[], uuid, integer) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
