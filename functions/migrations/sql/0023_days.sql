-- Rollups by place and by day: zones, stores, districts, regions and the whole organization. Where sensors were, and
-- since when they count. Versions, by which a kept answer is known to be what would be answered now.

-- Where it was counted, as the sensor stood when it counted.
ALTER TABLE people_counts ADD COLUMN zone_id uuid;
GRANT UPDATE (zone_id) ON people_counts TO rmap_app;

-- `site_id` of the 15-minute rollup is a store or a zone. An interval that is longer than a quarter is spread over those
-- that it covers.
COMMENT ON COLUMN footfall_15m.site_id IS 'a store, or a zone';

-- Days of places, by the store's own calendar: of a zone those of its store, of what is larger the sum of its stores'
-- days. The organization as a whole is the place of zeros. Larger places have a row for each of eight shares of their
-- stores, so that two stores' pushes seldom wait for one another.
CREATE TABLE footfall_day (
    tenant_id uuid NOT NULL,
    place_id  uuid NOT NULL,
    day       date NOT NULL,
    shard     smallint NOT NULL,
    entries   bigint NOT NULL,
    exits     bigint NOT NULL,
    intervals bigint NOT NULL,
    minutes   bigint NOT NULL,
    newest    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, place_id, day, shard)
) WITH (fillfactor = 80);
SELECT app.protect('footfall_day');
GRANT SELECT, INSERT, UPDATE (entries, exits, intervals, minutes, newest), DELETE ON footfall_day TO rmap_app;

CREATE TABLE sales_day (
    tenant_id     uuid NOT NULL,
    place_id      uuid NOT NULL,
    day           date NOT NULL,
    shard         smallint NOT NULL,
    currency      text NOT NULL,
    transactions  bigint NOT NULL,
    cancellations bigint NOT NULL,
    units         numeric(18, 3) NOT NULL,
    revenue       numeric(18, 4) NOT NULL,
    newest        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, place_id, day, shard, currency)
) WITH (fillfactor = 80);
SELECT app.protect('sales_day');
GRANT SELECT, INSERT, UPDATE (transactions, cancellations, units, revenue, newest), DELETE ON sales_day TO rmap_app;

-- How often a place's numbers of a month have changed: whoever knows the sum knows whether an answer still holds.
CREATE TABLE metric_versions (
    tenant_id uuid NOT NULL,
    place_id  uuid NOT NULL,
    month     date NOT NULL,
    shard     smallint NOT NULL,
    version   bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, place_id, month, shard)
) WITH (fillfactor = 50);
SELECT app.protect('metric_versions');
GRANT SELECT, INSERT, UPDATE (version), DELETE ON metric_versions TO rmap_app;

-- And how often anything else changed that answers depend on: the tree, time zones, names, sensors in service.
CREATE TABLE metric_epochs (
    tenant_id uuid PRIMARY KEY,
    epoch     bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 50);
SELECT app.protect('metric_epochs');
GRANT SELECT, INSERT, UPDATE (epoch), DELETE ON metric_epochs TO rmap_app;

-- Sensors in service: since when each of their lines counts, where they were before, and until when.
ALTER TABLE sensors ADD COLUMN placed_at timestamptz NOT NULL DEFAULT '2000-01-01 00:00Z';
ALTER TABLE sensors ADD COLUMN retired_at timestamptz;
ALTER TABLE sensors NO FORCE ROW LEVEL SECURITY;
UPDATE sensors SET retired_at = updated_at WHERE status = 'retired';
ALTER TABLE sensors FORCE ROW LEVEL SECURITY;

CREATE TABLE sensor_lines (
    tenant_id uuid NOT NULL,
    sensor_id uuid NOT NULL,
    line      text NOT NULL,
    first_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id, line)
);
SELECT app.protect('sensor_lines');
GRANT SELECT, INSERT, UPDATE (first_at), DELETE ON sensor_lines TO rmap_app;

-- What a sensor was in is kept as long as it is known: late counts go there.
CREATE TABLE sensor_placements (
    tenant_id uuid NOT NULL,
    sensor_id uuid NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    site_id   uuid NOT NULL,
    zone_id   uuid,
    PRIMARY KEY (tenant_id, sensor_id, since),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT sensor_placements_site FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id),
    CONSTRAINT sensor_placements_zone FOREIGN KEY (tenant_id, zone_id) REFERENCES sites (tenant_id, id),
    CHECK (until > since)
);
CREATE INDEX sensor_placements_site ON sensor_placements (tenant_id, site_id);
CREATE INDEX sensor_placements_zone ON sensor_placements (tenant_id, zone_id) WHERE zone_id IS NOT NULL;
SELECT app.protect('sensor_placements');
GRANT SELECT, INSERT, DELETE ON sensor_placements TO rmap_app;

-- Spans in which lines of sensors were to count in some stores, or zones. The first line of a sensor counts from its
-- registration, or from its first count where that is earlier; others from their own first count. A sensor that never
-- counted has one.
CREATE FUNCTION app.in_service(tenant uuid, stores uuid[], zones uuid[])
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
        SELECT CASE WHEN row_number() OVER (ORDER BY k.first_at, k.line) = 1 THEN least(k.first_at, n.created_at)
                    ELSE k.first_at END AS since
        FROM sensor_lines k WHERE k.tenant_id = tenant AND k.sensor_id = n.id
        UNION ALL
        SELECT n.created_at
        WHERE NOT EXISTS (SELECT FROM sensor_lines k WHERE k.tenant_id = tenant AND k.sensor_id = n.id)) l
    WHERE p.until IS NULL OR p.until > l.since
$$;

-- The zone as PostgreSQL knows it; one that it does not know (yet) is UTC, and holds nothing up.
CREATE FUNCTION app.known_zone(named text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM now() AT TIME ZONE named;
    RETURN named;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'UTC';
END
$$;

CREATE FUNCTION app.keep_placement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.site_id, NEW.zone_id) IS DISTINCT FROM (OLD.site_id, OLD.zone_id) THEN
        NEW.placed_at := greatest(NEW.updated_at, OLD.placed_at);
        IF NEW.placed_at > OLD.placed_at THEN
            INSERT INTO sensor_placements (tenant_id, sensor_id, since, until, site_id, zone_id)
            VALUES (OLD.tenant_id, OLD.id, OLD.placed_at, NEW.placed_at, OLD.site_id, OLD.zone_id);
        END IF;
    END IF;
    IF NEW.status = 'retired' AND OLD.status <> 'retired' THEN
        NEW.retired_at := NEW.updated_at;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_placement BEFORE UPDATE OF site_id, zone_id, status ON sensors
    FOR EACH ROW EXECUTE FUNCTION app.keep_placement();

-- Which of the eight shares of its larger places a store is in.
CREATE FUNCTION app.shard_of(store uuid) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (get_byte(uuid_send(store), 15) % 8)::smallint;

-- Who writes rollups shares this; who moves something in the tree, or to another time zone, has it alone. So nobody adds
-- to a district that a store has just left.
CREATE FUNCTION app.hold_tree(tenant uuid) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock(hashtextextended('tree:' || tenant::text, 0));
CREATE FUNCTION app.share_tree(tenant uuid) RETURNS void LANGUAGE sql VOLATILE
RETURN pg_advisory_xact_lock_shared(hashtextextended('tree:' || tenant::text, 0));

-- Days of stores and zones anew, from their quarters.
CREATE FUNCTION app.rebuild_days_of(tenant uuid, places uuid[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM footfall_day WHERE tenant_id = tenant AND place_id = ANY (places);
    DELETE FROM sales_day WHERE tenant_id = tenant AND place_id = ANY (places);
    INSERT INTO footfall_day (tenant_id, place_id, day, shard, entries, exits, intervals, minutes, newest)
    SELECT tenant, f.site_id, (f.bucket AT TIME ZONE p.time_zone)::date, 0, sum(f.entries), sum(f.exits),
           sum(f.intervals), sum(f.minutes), max(f.bucket)
    FROM (SELECT s.id, app.known_zone(coalesce(h.time_zone, s.time_zone)) AS time_zone
          FROM sites s
          LEFT JOIN site_tree t ON t.tenant_id = s.tenant_id AND t.site_id = s.id AND s.kind = 'zone'
          LEFT JOIN sites h ON h.tenant_id = t.tenant_id AND h.id = t.parent_id
          WHERE s.tenant_id = tenant AND s.id = ANY (places)) p
    JOIN footfall_15m f ON f.tenant_id = tenant AND f.site_id = p.id
    GROUP BY 2, 3;
    INSERT INTO sales_day (tenant_id, place_id, day, shard, currency, transactions, cancellations, units, revenue, newest)
    SELECT tenant, r.site_id, (r.bucket AT TIME ZONE s.time_zone)::date, 0, r.currency, sum(r.transactions),
           sum(r.cancellations), sum(r.units), sum(r.revenue), max(r.bucket)
    FROM (SELECT id, app.known_zone(time_zone) AS time_zone FROM sites
          WHERE tenant_id = tenant AND id = ANY (places)) s
    JOIN sales_15m r ON r.tenant_id = tenant AND r.site_id = s.id
    GROUP BY 2, 3, r.currency;
END
$$;

-- Days of a larger place anew, of some shares, from the days of the stores that are in it now.
CREATE FUNCTION app.rebuild_days_above(tenant uuid, place uuid, shards smallint[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    stores uuid[];
BEGIN
    IF place = '00000000-0000-0000-0000-000000000000' THEN
        SELECT array_agg(id) INTO stores FROM sites WHERE tenant_id = tenant AND kind = 'site';
    ELSE
        SELECT array_agg(s.site_id) INTO stores FROM (
            SELECT t.site_id FROM site_tree t
            WHERE t.tenant_id = tenant AND t.parent_id = place AND t.kind = 'site'
            UNION ALL
            SELECT t.site_id FROM site_tree d
            JOIN site_tree t ON t.tenant_id = tenant AND t.parent_id = d.site_id AND t.kind = 'site'
            WHERE d.tenant_id = tenant AND d.parent_id = place AND d.kind = 'district') s;
    END IF;
    SELECT array_agg(id) INTO stores FROM unnest(stores) id WHERE app.shard_of(id) = ANY (shards);
    DELETE FROM footfall_day WHERE tenant_id = tenant AND place_id = place AND shard = ANY (shards);
    DELETE FROM sales_day WHERE tenant_id = tenant AND place_id = place AND shard = ANY (shards);
    INSERT INTO footfall_day (tenant_id, place_id, day, shard, entries, exits, intervals, minutes, newest)
    SELECT tenant, place, d.day, app.shard_of(d.place_id), sum(d.entries), sum(d.exits), sum(d.intervals),
           sum(d.minutes), max(d.newest)
    FROM footfall_day d WHERE d.tenant_id = tenant AND d.place_id = ANY (stores) GROUP BY 3, 4;
    INSERT INTO sales_day (tenant_id, place_id, day, shard, currency, transactions, cancellations, units, revenue, newest)
    SELECT tenant, place, d.day, app.shard_of(d.place_id), d.currency, sum(d.transactions), sum(d.cancellations),
           sum(d.units), sum(d.revenue), max(d.newest)
    FROM sales_day d WHERE d.tenant_id = tenant AND d.place_id = ANY (stores) GROUP BY 3, 4, d.currency;
END
$$;

-- What is brought by an import brings its rollups along; what is erased has none.
CREATE FUNCTION app.days_follow(tenant uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN coalesce(current_setting('app.importing', true), '') <> 'yes'
       AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant);

CREATE FUNCTION app.hold_tree_here() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    IF tenant IS NOT NULL THEN
        PERFORM app.hold_tree(tenant);
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER hold_tree BEFORE INSERT OR UPDATE OR DELETE ON site_tree
    FOR EACH STATEMENT EXECUTE FUNCTION app.hold_tree_here();
CREATE TRIGGER hold_tree BEFORE UPDATE OF time_zone ON sites
    FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone) EXECUTE FUNCTION app.hold_tree_here();

-- A place and what that is in, of what a place was put into: where its stores' days are added up.
CREATE FUNCTION app.and_above(tenant uuid, place uuid) RETURNS uuid[] LANGUAGE sql STABLE
RETURN ARRAY(SELECT id FROM sites WHERE tenant_id = tenant AND id = place
             UNION ALL
             SELECT t.parent_id FROM site_tree t WHERE t.tenant_id = tenant AND t.site_id = place);

-- History follows the tree as it is now: days go along with what moves.
CREATE FUNCTION app.move_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one site_tree;
    stores uuid[];
    shards smallint[];
    above uuid[] := '{}';
    place uuid;
BEGIN
    IF TG_OP = 'DELETE' THEN
        one := OLD;
    ELSE
        one := NEW;
    END IF;
    IF NOT app.days_follow(one.tenant_id)
       OR (TG_OP = 'UPDATE' AND OLD.parent_id = NEW.parent_id) THEN
        RETURN NULL;
    END IF;
    IF one.kind = 'zone' THEN
        PERFORM app.rebuild_days_of(one.tenant_id, ARRAY[one.site_id]);
        RETURN NULL;
    END IF;
    stores := CASE WHEN one.kind = 'site' THEN ARRAY[one.site_id] ELSE ARRAY(
        SELECT t.site_id FROM site_tree t
        WHERE t.tenant_id = one.tenant_id AND t.parent_id = one.site_id AND t.kind = 'site') END;
    SELECT array_agg(DISTINCT app.shard_of(s)) INTO shards FROM unnest(stores) s
    WHERE EXISTS (SELECT FROM footfall_day d WHERE d.tenant_id = one.tenant_id AND d.place_id = s)
       OR EXISTS (SELECT FROM sales_day d WHERE d.tenant_id = one.tenant_id AND d.place_id = s);
    IF shards IS NULL THEN
        RETURN NULL;
    END IF;
    -- What has not changed for a place is built anew as it was.
    IF TG_OP <> 'INSERT' THEN
        above := app.and_above(OLD.tenant_id, OLD.parent_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        above := above || app.and_above(NEW.tenant_id, NEW.parent_id);
    END IF;
    FOR place IN SELECT DISTINCT a FROM unnest(above) a ORDER BY 1 LOOP
        PERFORM app.rebuild_days_above(one.tenant_id, place, shards);
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER move_days AFTER INSERT OR UPDATE OR DELETE ON site_tree
    FOR EACH ROW EXECUTE FUNCTION app.move_days();

-- Another time zone is another calendar: days of the store, its zones and what it is in, anew.
CREATE FUNCTION app.turn_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    place uuid;
BEGIN
    IF NOT app.days_follow(NEW.tenant_id) OR NEW.kind NOT IN ('site', 'zone') THEN
        RETURN NULL;
    END IF;
    PERFORM app.rebuild_days_of(NEW.tenant_id, NEW.id || ARRAY(
        SELECT t.site_id FROM site_tree t WHERE t.tenant_id = NEW.tenant_id AND t.parent_id = NEW.id));
    IF NEW.kind = 'site' THEN
        FOR place IN
            SELECT a FROM site_tree t, unnest(app.and_above(NEW.tenant_id, t.parent_id)) a
            WHERE t.tenant_id = NEW.tenant_id AND t.site_id = NEW.id
            UNION ALL
            SELECT '00000000-0000-0000-0000-000000000000'
        LOOP
            PERFORM app.rebuild_days_above(NEW.tenant_id, place, ARRAY[app.shard_of(NEW.id)]);
        END LOOP;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER turn_days AFTER UPDATE OF time_zone ON sites
    FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone) EXECUTE FUNCTION app.turn_days();

CREATE FUNCTION app.next_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    IF tenant IS NULL OR EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant) THEN
        RETURN NULL;
    END IF;
    UPDATE metric_epochs SET epoch = epoch + 1 WHERE tenant_id = tenant;
    IF NOT FOUND THEN
        INSERT INTO metric_epochs (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            UPDATE metric_epochs SET epoch = epoch + 1 WHERE tenant_id = tenant;
        END IF;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER next_epoch AFTER INSERT OR DELETE OR UPDATE OF name, code, time_zone ON sites
    FOR EACH STATEMENT EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT OR DELETE OR UPDATE ON site_tree
    FOR EACH STATEMENT EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT OR DELETE OR UPDATE OF site_id, zone_id, status, interval_minutes ON sensors
    FOR EACH STATEMENT EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT OR DELETE ON sensor_placements
    FOR EACH STATEMENT EXECUTE FUNCTION app.next_epoch();
-- Each push asks whether there is a new line, and there hardly ever is.
CREATE TRIGGER next_epoch AFTER INSERT OR DELETE OR UPDATE ON sensor_lines
    FOR EACH ROW EXECUTE FUNCTION app.next_epoch();

-- What an import brings moves no version: it is told here.
CREATE TRIGGER next_epoch AFTER INSERT ON footfall_15m FOR EACH STATEMENT
    WHEN (current_setting('app.importing', true) = 'yes') EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT ON footfall_day FOR EACH STATEMENT
    WHEN (current_setting('app.importing', true) = 'yes') EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT ON sales_15m FOR EACH STATEMENT
    WHEN (current_setting('app.importing', true) = 'yes') EXECUTE FUNCTION app.next_epoch();
CREATE TRIGGER next_epoch AFTER INSERT ON sales_day FOR EACH STATEMENT
    WHEN (current_setting('app.importing', true) = 'yes') EXECUTE FUNCTION app.next_epoch();

-- What is there already: lines of sensors, and days of stores, districts, regions and the organization.
DO $backfill$
DECLARE
    known text;
    one record;
BEGIN
    FOREACH known IN ARRAY ARRAY['people_counts', 'footfall_15m', 'sales_15m', 'footfall_day', 'sales_day', 'sites',
                                 'site_tree', 'sensor_lines'] LOOP
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', known);
    END LOOP;
    INSERT INTO sensor_lines (tenant_id, sensor_id, line, first_at)
    SELECT tenant_id, sensor_id, line, min(starts_at) FROM people_counts GROUP BY 1, 2, 3;
    FOR one IN SELECT tenant_id, array_agg(id) FILTER (WHERE kind IN ('site', 'zone')) AS places,
                      array_agg(id) FILTER (WHERE kind IN ('region', 'district')) AS above
               FROM sites GROUP BY tenant_id LOOP
        PERFORM app.rebuild_days_of(one.tenant_id, one.places);
        PERFORM app.rebuild_days_above(one.tenant_id, place, ARRAY[0, 1, 2, 3, 4, 5, 6, 7]::smallint[])
        FROM unnest(coalesce(one.above, '{}') || '00000000-0000-0000-0000-000000000000'::uuid) place;
    END LOOP;
    FOREACH known IN ARRAY ARRAY['people_counts', 'footfall_15m', 'sales_15m', 'footfall_day', 'sales_day', 'sites',
                                 'site_tree', 'sensor_lines'] LOOP
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', known);
    END LOOP;
END
$backfill$;
