-- Who was let into a tenant a moment before it was closed is done by now, in place of the same of 0012: a call of its
-- webhooks that was on its way is written of within 75 seconds, and nothing of it is to come after its erasure.
GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (status_since) ON tenants TO rmap_door;
CREATE OR REPLACE FUNCTION app.tenants_to_erase(page integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t
    WHERE t.status = 'closed' AND (t.status_since IS NULL OR t.status_since < now() - interval '15 minutes')
    UNION
    SELECT e.tenant_id FROM erasures e WHERE e.finished_at IS NULL
    LIMIT page
$$;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
