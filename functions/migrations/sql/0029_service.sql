-- A sensor is expected from where its counts go on to its registration without a silence of more than 400 days: one row
-- of a clock that was reset to long ago says nothing of when it began. Quality takes such silences for absence as well.

-- When what a line counted up to its sensor's registration began: its first count after the last such silence. Null,
-- where nothing was counted since. It is told by the counts as they are, so in no order of arrival is it another.
CREATE FUNCTION app.begun(tenant uuid, sensor uuid, named text, first_at timestamptz, made timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    absence constant interval := '400 days';
    begun timestamptz := first_at;
    at timestamptz := first_at;
    following timestamptz;
BEGIN
    WHILE at < made - absence LOOP
        SELECT max(c.starts_at) INTO following FROM people_counts c
        WHERE c.tenant_id = tenant AND c.sensor_id = sensor AND c.line = named
          AND c.starts_at > at AND c.starts_at <= at + absence;
        IF following IS NULL THEN
            SELECT min(c.starts_at) INTO following FROM people_counts c
            WHERE c.tenant_id = tenant AND c.sensor_id = sensor AND c.line = named AND c.starts_at > at + absence;
            begun := following;
        END IF;
        at := following;
    END LOOP;
    RETURN begun;
END
$$;

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
$$;
