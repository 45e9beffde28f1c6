-- What a raw row counts for, and by which batch came what was corrected since.

-- What a sensor of kind `zone` counts in a zone is the zone's alone: it stands at a border within a store, where people
-- pass who were counted at its doors already (decision 0048).

-- Whether a place's sensor counts for its zone and not for its store.
CREATE FUNCTION app.zone_alone(kind text, zone uuid) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN kind = 'zone' AND zone IS NOT NULL;

-- How a row was rolled up, so that a correction of it moves the same sums. Rows that are there were their store's too,
-- as are those that the release before writes until it is replaced.
ALTER TABLE people_counts ADD COLUMN zone_alone boolean NOT NULL DEFAULT false;

-- Kept answers are told by an epoch of what is to be expected of sensors: of stores with such sensors that is another.
ALTER TABLE metric_epochs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sensors NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sensor_placements NO FORCE ROW LEVEL SECURITY;
INSERT INTO metric_epochs AS e (tenant_id)
SELECT DISTINCT n.tenant_id FROM sensors n
WHERE n.kind = 'zone' AND (n.zone_id IS NOT NULL OR EXISTS (
    SELECT FROM sensor_placements p WHERE p.tenant_id = n.tenant_id AND p.sensor_id = n.id AND p.zone_id IS NOT NULL))
ON CONFLICT (tenant_id) DO UPDATE SET epoch = e.epoch + 1;
ALTER TABLE sensor_placements FORCE ROW LEVEL SECURITY;
ALTER TABLE sensors FORCE ROW LEVEL SECURITY;
ALTER TABLE metric_epochs FORCE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION app.in_service(tenant uuid, stores uuid[], zones uuid[])
RETURNS TABLE (sensor_id uuid, site_id uuid, zone_id uuid, interval_minutes smallint, since timestamptz,
               until timestamptz)
LANGUAGE sql STABLE ROWS 10 AS $$
    SELECT n.id, p.site_id, p.zone_id, n.interval_minutes, greatest(p.since, l.since), p.until
    FROM (
        SELECT s.id, s.site_id, s.zone_id, s.placed_at AS since, s.retired_at AS until
        FROM sensors s WHERE s.tenant_id = tenant AND (s.site_id = ANY (stores) OR s.zone_id = ANY (zones))
        UNION ALL
        SELECT d.sensor_id, d.site_id, d.zone_id, d.since, d.until
        FROM sensor_placements d WHERE d.tenant_id = tenant AND (d.site_id = ANY (stores) OR d.zone_id = ANY (zones))) p
    JOIN sensors n ON n.tenant_id = tenant AND n.id = p.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN row_number() OVER (ORDER BY b.since NULLS LAST, b.line) = 1 THEN least(b.since, n.created_at)
                    ELSE b.since END AS since
        FROM (SELECT k.line,
                     CASE WHEN k.first_at >= n.created_at - interval '400 days' THEN k.first_at
                          ELSE app.begun(tenant, n.id, k.line, k.first_at, n.created_at) END AS since
              FROM sensor_lines k WHERE k.tenant_id = tenant AND k.sensor_id = n.id) b
        UNION ALL
        SELECT n.created_at
        WHERE NOT EXISTS (SELECT FROM sensor_lines k WHERE k.tenant_id = tenant AND k.sensor_id = n.id)) l
    WHERE l.since IS NOT NULL AND (p.until IS NULL OR p.until > l.since)
      AND (p.zone_id = ANY (zones) OR NOT app.zone_alone(n.kind, p.zone_id))
$$;

-- By which batch came what was corrected since; of older revisions it is not known.
ALTER TABLE people_count_revisions ADD COLUMN batch_id uuid;
ALTER TABLE transaction_revisions ADD COLUMN batch_id uuid;
