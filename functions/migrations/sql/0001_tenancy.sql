-- Tenants, users, and the one door through which every transaction enters.

CREATE SCHEMA app;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- rmap_app is what functions connect as: it owns nothing and row level security binds it.
-- rmap_door owns the few reviewed functions that answer before a tenant is known; nobody can log in as it.
DO $roles$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rmap_app') THEN
        CREATE ROLE rmap_app LOGIN NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rmap_door') THEN
        CREATE ROLE rmap_door NOLOGIN NOBYPASSRLS;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
        GRANT rds_iam TO rmap_app;
    END IF;
    EXECUTE format('GRANT rmap_door TO %I', current_user);
END
$roles$;

GRANT USAGE ON SCHEMA app, public TO rmap_app, rmap_door;
-- In Aurora the functions come through RDS Proxy; statements that run away are ended here.
ALTER ROLE rmap_app SET statement_timeout = '25s';
ALTER ROLE rmap_app SET idle_in_transaction_session_timeout = '30s';

-- The door. Settings are local to the transaction, so nothing stays on a pooled session.
CREATE FUNCTION app.enter(tenant uuid, app_user uuid, request text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT set_config('app.tenant_id', tenant::text, true),
           set_config('app.user_id', coalesce(app_user::text, ''), true),
           set_config('app.request_id', request, true);
$$;

-- A moment as the API writes it.
CREATE FUNCTION app.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC',
               CASE WHEN date_trunc('second', moment) = moment THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                    ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END);

-- Row level security, enabled and forced, for a table that carries tenant_id.
CREATE FUNCTION app.protect(target regclass) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant_isolation ON %s '
        'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid) '
        'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', target);
END
$$;
REVOKE ALL ON FUNCTION app.protect(regclass) FROM PUBLIC;

CREATE TABLE tenants (
    tenant_id        uuid PRIMARY KEY,
    slug             text NOT NULL CHECK (slug ~ '^[a-z0-9](-?[a-z0-9]){2,62}$'),
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    plan             text NOT NULL DEFAULT 'starter',
    status           text NOT NULL DEFAULT 'billing_pending'
        CHECK (status IN ('billing_pending', 'active', 'past_due', 'restricted', 'suspended', 'closing', 'closed')),
    billing_reason   text NOT NULL DEFAULT '',
    billing_as_of    timestamptz,
    stripe_customer_id     text,
    stripe_subscription_id text,
    subscription_status    text,
    version          integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
-- A slug is public by its nature (it is the tenant's subdomain), so its uniqueness reveals nothing.
CREATE UNIQUE INDEX tenants_slug_key ON tenants (slug);
SELECT app.protect('tenants');
GRANT SELECT, INSERT ON tenants TO rmap_app;
GRANT UPDATE (name, plan, status, billing_reason, billing_as_of, stripe_customer_id, stripe_subscription_id,
              subscription_status, version, updated_at) ON tenants TO rmap_app;

-- A person; may belong to many tenants, so it carries no tenant_id.
CREATE TABLE users (
    user_id       uuid PRIMARY KEY,
    email         text NOT NULL CHECK (email = lower(email) AND length(email) <= 254),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    password_hash text NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email_key ON users (email);

CREATE TABLE memberships (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    user_id    uuid NOT NULL REFERENCES users,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'member', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);
SELECT app.protect('memberships');
GRANT SELECT, INSERT, UPDATE (role), DELETE ON memberships TO rmap_app;

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY fellow_members ON users FOR SELECT
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid
           OR EXISTS (SELECT FROM memberships m
                      WHERE m.user_id = users.user_id
                        AND m.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY oneself ON users FOR INSERT
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
CREATE POLICY own_row ON users FOR UPDATE
    USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
-- The password's hash is written by the app and read only through the door below.
GRANT SELECT (user_id, email, name, created_at, updated_at) ON users TO rmap_app;
GRANT INSERT ON users TO rmap_app;
GRANT UPDATE (email, name, password_hash, updated_at) ON users TO rmap_app;

-- What the doors may see: these columns, these rows, nothing else, and only to read.
GRANT SELECT (tenant_id, slug, name, status, plan) ON tenants TO rmap_door;
GRANT SELECT (user_id, email, name, password_hash) ON users TO rmap_door;
GRANT SELECT (tenant_id, user_id, role, created_at) ON memberships TO rmap_door;
CREATE POLICY door ON tenants FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON users FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON memberships FOR SELECT TO rmap_door USING (true);

GRANT CREATE ON SCHEMA app TO rmap_door;

-- Log-in: the user behind a mail address, with the tenants to choose from. One user's rows, never a list of users.
CREATE FUNCTION app.find_login(login_email text)
RETURNS TABLE (user_id uuid, user_name text, password_hash text, tenant_id uuid, slug text, tenant_name text,
               role text, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u.user_id, u.name, u.password_hash, t.tenant_id, t.slug, t.name, m.role, t.status
    FROM users u
    LEFT JOIN memberships m USING (user_id)
    LEFT JOIN tenants t ON t.tenant_id = m.tenant_id
    WHERE u.email = lower(login_email)
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.find_login(text) OWNER TO rmap_door;

-- Switching: a proved user's tenants.
CREATE FUNCTION app.memberships_of(member uuid)
RETURNS TABLE (tenant_id uuid, slug text, tenant_name text, role text, status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, m.role, t.status
    FROM memberships m JOIN tenants t USING (tenant_id)
    WHERE m.user_id = member
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.memberships_of(uuid) OWNER TO rmap_door;

-- Timed work: the ids of tenants that are at work, page by page.
CREATE FUNCTION app.tenants_at_work(after uuid, page integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t
    WHERE t.status <> 'closed' AND (after IS NULL OR t.tenant_id > after)
    ORDER BY t.tenant_id
    LIMIT page
$$;
ALTER FUNCTION app.tenants_at_work(uuid, integer) OWNER TO rmap_door;

REVOKE ALL ON FUNCTION app.find_login(text), app.memberships_of(uuid), app.tenants_at_work(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_login(text), app.memberships_of(uuid), app.tenants_at_work(uuid, integer)
    TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;

CREATE TABLE audit_log (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL,
    subject    text NOT NULL,
    request_id text NOT NULL,
    details    jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_log_subject ON audit_log (tenant_id, subject, id DESC);
SELECT app.protect('audit_log');
GRANT SELECT, INSERT ON audit_log TO rmap_app;

CREATE TABLE outbox (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    type         text NOT NULL,
    subject      text NOT NULL,
    data         jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_waiting ON outbox (tenant_id, created_at) WHERE published_at IS NULL;
SELECT app.protect('outbox');
GRANT SELECT, INSERT, UPDATE (published_at), DELETE ON outbox TO rmap_app;

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, created_at, published_at) ON outbox TO rmap_door;
CREATE POLICY door ON outbox FOR SELECT TO rmap_door USING (true);

-- The relay: which tenants have events that were left behind.
CREATE FUNCTION app.tenants_with_waiting_events(older_than timestamptz, page integer)
RETURNS TABLE (tenant_id uuid, waiting bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT o.tenant_id, count(*) FROM outbox o
    WHERE o.published_at IS NULL AND o.created_at < older_than
    GROUP BY o.tenant_id ORDER BY min(o.created_at)
    LIMIT page
$$;
ALTER FUNCTION app.tenants_with_waiting_events(timestamptz, integer) OWNER TO rmap_door;

-- Operations: numbers about the whole, none about anyone.
CREATE FUNCTION app.operations() RETURNS TABLE (name text, value double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT 'rmap_tenants', count(*)::double precision FROM tenants WHERE status <> 'closed'
    UNION ALL
    SELECT 'rmap_outbox_waiting', count(*)::double precision FROM outbox WHERE published_at IS NULL
    UNION ALL
    SELECT 'rmap_outbox_oldest_seconds',
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::double precision
    FROM outbox WHERE published_at IS NULL
    UNION ALL
    SELECT 'rmap_database_connections', count(*)::double precision FROM pg_stat_activity
    WHERE datname = current_database()
$$;
ALTER FUNCTION app.operations() OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.tenants_with_waiting_events(timestamptz, integer), app.operations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_with_waiting_events(timestamptz, integer), app.operations() TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;

CREATE TABLE idempotency_keys (
    tenant_id    uuid NOT NULL,
    actor        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       smallint NOT NULL,
    headers      text[] NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, actor, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (tenant_id, created_at);
SELECT app.protect('idempotency_keys');
GRANT SELECT, INSERT, DELETE ON idempotency_keys TO rmap_app;

CREATE TABLE billing_events (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    event_id   text NOT NULL,
    type       text NOT NULL,
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    applied    boolean NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);
SELECT app.protect('billing_events');
GRANT SELECT, INSERT ON billing_events TO rmap_app;

CREATE TABLE job_runs (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    job         text NOT NULL,
    status      text NOT NULL CHECK (status IN ('queued', 'done', 'failed')),
    detail      jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
SELECT app.protect('job_runs');
GRANT SELECT, INSERT, UPDATE (status, detail, finished_at), DELETE ON job_runs TO rmap_app;
