-- Timed work is planned for tenants that have something to do; the others cost a look at an index (decision 0049).

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, status, starts_at) ON campaigns TO rmap_door;
GRANT SELECT (tenant_id) ON quality_days, sensor_beats, occupancy_limits TO rmap_door;
GRANT SELECT (tenant_id, enabled) ON alert_rules TO rmap_door;
GRANT SELECT (tenant_id, source, id) ON usage_events TO rmap_door;
GRANT SELECT (tenant_id, quantity, planned) ON usage_hourly TO rmap_door;
GRANT SELECT (tenant_id, state) ON usage_pushes TO rmap_door;
CREATE POLICY door ON campaigns FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON quality_days FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON sensor_beats FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON occupancy_limits FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON alert_rules FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON usage_events FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON usage_hourly FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON usage_pushes FOR SELECT TO rmap_door USING (true);

-- The ids of tenants in some states for which a job has something to do, page by page. Of a job that is not named here
-- it is not known, so it has for all.
CREATE FUNCTION app.tenants_due(job text, moment timestamptz, states text[], after uuid, page integer)
RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t
    WHERE t.status = ANY (states) AND (after IS NULL OR t.tenant_id > after)
      AND CASE job
          WHEN 'refresh-performance' THEN EXISTS (
              SELECT FROM campaigns c WHERE c.tenant_id = t.tenant_id
                AND c.status IN ('active', 'paused', 'completed') AND c.starts_at IS NOT NULL)
          WHEN 'quality' THEN EXISTS (SELECT FROM quality_days q WHERE q.tenant_id = t.tenant_id)
          WHEN 'watch' THEN
              EXISTS (SELECT FROM sensor_beats s WHERE s.tenant_id = t.tenant_id)
              OR EXISTS (SELECT FROM occupancy_limits l WHERE l.tenant_id = t.tenant_id)
              OR EXISTS (SELECT FROM alert_rules r WHERE r.tenant_id = t.tenant_id AND r.enabled)
          -- Usage that is not planned yet or not told, and once a day the storage.
          WHEN 'usage' THEN
              EXISTS (SELECT FROM usage_hourly h WHERE h.tenant_id = t.tenant_id AND h.quantity > h.planned)
              OR EXISTS (SELECT FROM usage_pushes p WHERE p.tenant_id = t.tenant_id AND p.state = 'waiting')
              OR NOT EXISTS (
                  SELECT FROM usage_events e WHERE e.tenant_id = t.tenant_id AND e.source = 'storage'
                    AND e.id = to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
          -- A grace ends, and doors may not have heard that nobody is to come in.
          WHEN 'life' THEN t.status <> 'active'
          ELSE true
          END
    ORDER BY t.tenant_id
    LIMIT page
$$;
ALTER FUNCTION app.tenants_due(text, timestamptz, text[], uuid, integer) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.tenants_due(text, timestamptz, text[], uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_due(text, timestamptz, text[], uuid, integer) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
