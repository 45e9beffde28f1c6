-- Archives of everything a tenant has, how far their making came, and what was erased when a tenant had gone.

CREATE TABLE exports (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('export', 'import')),
    status        text NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'deleted')),
    requested_by  uuid,
    -- The object in S3, and the upload that makes it.
    archive       text NOT NULL,
    upload        text,
    -- Where the next part begins; what it says is the worker's business.
    mark          jsonb NOT NULL DEFAULT '{}',
    sources       integer NOT NULL DEFAULT 0,
    sources_done  integer NOT NULL DEFAULT 0,
    rows          bigint NOT NULL DEFAULT 0,
    bytes         bigint NOT NULL DEFAULT 0,
    reason        text NOT NULL DEFAULT '',
    claimed_until timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    expires_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX exports_under_way ON exports (tenant_id, kind) WHERE status IN ('queued', 'running');
SELECT app.protect('exports');
GRANT SELECT, INSERT ON exports TO rmap_app;
GRANT UPDATE (status, upload, mark, sources, sources_done, rows, bytes, reason, claimed_until, updated_at, finished_at,
              expires_at) ON exports TO rmap_app;

-- The parts of the upload that are in S3, and the files of the archive that each holds.
CREATE TABLE export_parts (
    tenant_id uuid NOT NULL,
    export_id uuid NOT NULL,
    number    integer NOT NULL,
    etag      text NOT NULL,
    bytes     bigint NOT NULL,
    files     jsonb NOT NULL,
    PRIMARY KEY (tenant_id, export_id, number),
    FOREIGN KEY (tenant_id, export_id) REFERENCES exports (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('export_parts');
GRANT SELECT, INSERT, DELETE ON export_parts TO rmap_app;

-- The certificate of an erasure. It is all that stays of a tenant, so it refers to nothing.
CREATE TABLE erasures (
    tenant_id     uuid PRIMARY KEY,
    mark          jsonb NOT NULL DEFAULT '{}',
    counts        jsonb NOT NULL DEFAULT '{}',
    claimed_until timestamptz,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz
);
SELECT app.protect('erasures');
GRANT SELECT, INSERT, UPDATE (mark, counts, claimed_until, finished_at) ON erasures TO rmap_app;

-- Whether the entered tenant is being erased: it is closed, and its erasure has begun and not ended.
CREATE FUNCTION app.being_erased() RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM public.erasures e
                   WHERE e.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
                         AND e.finished_at IS NULL)
           AND NOT EXISTS (SELECT FROM public.tenants t
                           WHERE t.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
                                 AND t.status <> 'closed')
$$;

-- Take away up to a page of rows that the entered tenant has in a table; answers how many went. Its owner is bound by
-- row level security like everybody (it is forced), so that no other tenant's row can go; what it adds is the right to
-- delete from tables whose rows functions may only add, and it gives that for a tenant that is being erased.
CREATE FUNCTION app.erase_rows(target text, page integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    place regclass;
    gone bigint;
BEGIN
    IF NOT app.being_erased() THEN
        RAISE EXCEPTION 'no tenant that is being erased was entered' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF target = 'erasures' OR NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relname = target AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
              AND NOT c.relispartition AND c.relforcerowsecurity AND a.attname = 'tenant_id' AND NOT a.attisdropped) THEN
        RAISE EXCEPTION 'no table % of tenants', target;
    END IF;
    FOR place IN
        SELECT c.oid FROM pg_class c
        WHERE c.relkind = 'r' AND (c.oid = format('public.%I', target)::regclass
              OR c.oid IN (SELECT relid FROM pg_partition_tree(format('public.%I', target)::regclass)))
        ORDER BY c.relname
    LOOP
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %s WHERE tenant_id = $1 LIMIT $2))',
                       place, place)
            USING current_setting('app.tenant_id')::uuid, page;
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone > 0 THEN
            RETURN gone;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;

-- A person who was a member of the tenant that is being erased, and is one of no other. Whoever belongs to another
-- tenant stays: the key of that membership says so, and nobody here has to see it.
CREATE POLICY leaving ON users FOR DELETE USING (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
CREATE FUNCTION app.erase_person(person uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT app.being_erased() OR NOT EXISTS (
        SELECT FROM erasures e WHERE e.tenant_id = current_setting('app.tenant_id')::uuid
                                     AND e.mark -> 'people' ? person::text) THEN
        RAISE EXCEPTION 'nobody of a tenant that is being erased' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('app.user_id', person::text, true);
    DELETE FROM users WHERE user_id = person;
    RETURN FOUND;
EXCEPTION WHEN foreign_key_violation THEN
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION app.being_erased(), app.erase_rows(text, integer), app.erase_person(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.being_erased(), app.erase_rows(text, integer), app.erase_person(uuid) TO rmap_app;

-- Timed work: which tenants are to be erased, or are half erased.
GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, finished_at) ON erasures TO rmap_door;
CREATE POLICY door ON erasures FOR SELECT TO rmap_door USING (true);
CREATE FUNCTION app.tenants_to_erase(page integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t WHERE t.status = 'closed'
    UNION
    SELECT e.tenant_id FROM erasures e WHERE e.finished_at IS NULL
    LIMIT page
$$;
ALTER FUNCTION app.tenants_to_erase(integer) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.tenants_to_erase(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_to_erase(integer) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
