-- One inbox for everything that others post to the platform: kept before it is acknowledged, worked on afterwards.

-- What is the platform's own, and what is nobody's yet, is kept under the nil id, which no tenant has.
CREATE TABLE inbox (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    source      text NOT NULL CHECK (source ~ '^[a-z]{2,20}$'),
    -- The sender's own name of it, by which it is known again.
    external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 255),
    kind        text NOT NULL CHECK (length(kind) BETWEEN 1 AND 255),
    -- What it is about: in its order alone what came matters.
    subject     text NOT NULL CHECK (length(subject) <= 255),
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    -- As it was posted, sealed with a data key of the tenant.
    body        bytea NOT NULL,
    state       text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'done', 'failed', 'ignored')),
    tries       integer NOT NULL DEFAULT 0,
    reason      text NOT NULL DEFAULT '',
    settled_at  timestamptz,
    -- When it came, or was replayed.
    waits_since timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT inbox_known_again UNIQUE (tenant_id, source, external_id),
    CONSTRAINT inbox_settled CHECK ((state = 'received') = (settled_at IS NULL))
);
CREATE INDEX inbox_order ON inbox (tenant_id, source, subject, occurred_at) WHERE state = 'done';
CREATE INDEX inbox_unworked ON inbox (state, waits_since) WHERE state IN ('received', 'failed');
CREATE INDEX inbox_by_id ON inbox (id);
SELECT app.protect('inbox');
GRANT SELECT, INSERT, UPDATE (state, tries, reason, settled_at, waits_since), DELETE ON inbox TO rmap_app;

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, id, source, external_id, kind, subject, occurred_at, received_at, state, tries, reason, settled_at,
              waits_since) ON inbox TO rmap_door;
CREATE POLICY door ON inbox FOR SELECT TO rmap_door USING (true);

-- Operators, and the sweep: what came, by what is asked for, without its body. `ascending` begins with the oldest.
CREATE FUNCTION app.inbox_entries(only_id uuid, of_tenant uuid, of_source text, of_state text, since timestamptz,
                                  until timestamptz, after uuid, ascending boolean, page integer)
RETURNS TABLE (id uuid, tenant_id uuid, source text, external_id text, kind text, subject text, occurred_at timestamptz,
               received_at timestamptz, state text, tries integer, reason text, settled_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT i.id, i.tenant_id, i.source, i.external_id, i.kind, i.subject, i.occurred_at, i.received_at, i.state,
           i.tries, i.reason, i.settled_at
    FROM inbox i
    WHERE (only_id IS NULL OR i.id = only_id) AND (of_tenant IS NULL OR i.tenant_id = of_tenant)
          AND (of_source IS NULL OR i.source = of_source) AND (of_state IS NULL OR i.state = of_state)
          AND (since IS NULL OR i.received_at >= since) AND (until IS NULL OR i.received_at < until)
          AND (after IS NULL OR CASE WHEN ascending THEN i.id > after ELSE i.id < after END)
    ORDER BY CASE WHEN ascending THEN i.id END, CASE WHEN NOT ascending THEN i.id END DESC
    LIMIT page
$$;
ALTER FUNCTION app.inbox_entries(uuid, uuid, text, text, timestamptz, timestamptz, uuid, boolean, integer)
    OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.inbox_entries(uuid, uuid, text, text, timestamptz, timestamptz, uuid, boolean, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.inbox_entries(uuid, uuid, text, text, timestamptz, timestamptz, uuid, boolean, integer)
    TO rmap_app;

-- In place of the same of 0001, with the inbox.
CREATE OR REPLACE FUNCTION app.operations() RETURNS TABLE (name text, value double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT 'rmap_tenants', count(*)::double precision FROM tenants WHERE status <> 'closed'
    UNION ALL
    SELECT 'rmap_outbox_waiting', count(*)::double precision FROM outbox WHERE published_at IS NULL
    UNION ALL
    SELECT 'rmap_outbox_oldest_seconds',
           coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::double precision
    FROM outbox WHERE published_at IS NULL
    UNION ALL
    SELECT 'rmap_inbox_waiting', count(*)::double precision FROM inbox WHERE state = 'received'
    UNION ALL
    SELECT 'rmap_inbox_oldest_seconds',
           coalesce(extract(epoch FROM clock_timestamp() - min(waits_since)), 0)::double precision
    FROM inbox WHERE state = 'received'
    UNION ALL
    SELECT 'rmap_inbox_failed', count(*)::double precision FROM inbox WHERE state = 'failed'
    UNION ALL
    SELECT 'rmap_database_connections', count(*)::double precision FROM pg_stat_activity
    WHERE datname = current_database()
$$;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
