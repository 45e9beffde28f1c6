-- Sites in a tree, with addresses, hours and areas, found by words, metadata and nearness; sensors in zones, the devices
-- they were before, and when they were last heard of.

-- Trusted extensions: who owns the database may have them. Indexes that begin with the tenant, and points of a sphere.
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS cube;

-- A text as it is looked for: no case, no accents, and a space between words, whatever stood there.
CREATE FUNCTION app.plain(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN trim(regexp_replace(
    replace(replace(replace(replace(translate(
        lower(regexp_replace(normalize(said, NFKD) COLLATE "pg_c_utf8", '[\u0300-\u036f]', '', 'g')),
        'øđðłıς', 'oddliσ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th') COLLATE "pg_c_utf8",
    '[^[:alnum:]]+', ' ', 'g'));

-- A word as a tenant's own: what begins it in an index, so that a search reads nothing that others' words begin with.
CREATE FUNCTION app.own_word(tenant uuid, word text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN right(tenant::text, 12) || left(word, 64);

-- The words of a text, and of the values within a document.
CREATE FUNCTION app.words(tenant uuid, said text, document jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_to_tsvector(coalesce(array_agg(DISTINCT app.own_word(tenant, word)), '{}'))
    FROM string_to_table(app.plain(said || ' ' || coalesce((
        SELECT string_agg(value #>> '{}', ' ')
        FROM jsonb_path_query(document, 'strict $.** ? (@.type() == "string" || @.type() == "number")') value), '')
    ), ' ') word
    WHERE word <> '');

-- A place on the earth as a point of a sphere of radius 1: how far apart two are, straight through it, orders as
-- distances do, and there is neither a date line nor a pole.
CREATE FUNCTION app.position(latitude double precision, longitude double precision) RETURNS cube
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN cube(ARRAY[cos(radians(latitude)) * cos(radians(longitude)), cos(radians(latitude)) * sin(radians(longitude)),
                  sin(radians(latitude))]);

ALTER TABLE sites
    ADD COLUMN kind text NOT NULL DEFAULT 'site' CHECK (kind IN ('region', 'district', 'site', 'zone')),
    ADD COLUMN city text NOT NULL DEFAULT '' CHECK (length(city) <= 255),
    ADD COLUMN postal_code text NOT NULL DEFAULT '' CHECK (length(postal_code) <= 32),
    ADD COLUMN country text NOT NULL DEFAULT '' CHECK (country ~ '^([A-Z]{2})?$'),
    ADD COLUMN latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD COLUMN area_m2 double precision CHECK (area_m2 > 0 AND area_m2 <= 10000000),
    ADD COLUMN sales_area_m2 double precision CHECK (sales_area_m2 > 0 AND sales_area_m2 <= 10000000),
    ADD COLUMN hours jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT sites_whole_point CHECK ((latitude IS NULL) = (longitude IS NULL)),
    ADD CONSTRAINT sites_area_within CHECK (sales_area_m2 <= area_m2),
    ADD CONSTRAINT sites_kind_key UNIQUE (tenant_id, id, kind);
ALTER TABLE sites
    ADD COLUMN sort_name text GENERATED ALWAYS AS (app.plain(name)) STORED,
    ADD COLUMN words tsvector GENERATED ALWAYS AS (app.words(
        tenant_id, name || ' ' || code || ' ' || address || ' ' || city || ' ' || postal_code, metadata)) STORED,
    ADD COLUMN position cube GENERATED ALWAYS AS (app.position(latitude, longitude)) STORED;
-- The kind of a thing stays what it is.
GRANT UPDATE (city, postal_code, country, latitude, longitude, area_m2, sales_area_m2, hours) ON sites TO rmap_app;
-- Those of 0002 were never used: row security lets no operator decide in an index that might tell of what it sees.
DROP INDEX sites_search;
DROP INDEX sites_metadata;
CREATE INDEX sites_found ON sites USING gin (tenant_id, words, metadata jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX sites_near ON sites USING gist (tenant_id, position) WHERE position IS NOT NULL;
CREATE INDEX sites_by_age ON sites (tenant_id, kind, id);
CREATE INDEX sites_by_name ON sites (tenant_id, kind, sort_name, id);
CREATE INDEX sites_by_code ON sites (tenant_id, kind, code, id);

-- What is in what. Each is in something of a larger kind, so that no way leads round and none is longer than four. A
-- table of its own: rows of sites are taken over, and taken away, before anybody knows the order of the tree.
CREATE TABLE site_tree (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    kind        text NOT NULL,
    parent_id   uuid NOT NULL,
    parent_kind text NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, site_id),
    FOREIGN KEY (tenant_id, site_id, kind) REFERENCES sites (tenant_id, id, kind) ON DELETE CASCADE,
    CONSTRAINT site_tree_parent FOREIGN KEY (tenant_id, parent_id, parent_kind) REFERENCES sites (tenant_id, id, kind),
    CONSTRAINT site_tree_kinds CHECK (
        (kind = 'district' AND parent_kind = 'region')
        OR (kind = 'site' AND parent_kind IN ('region', 'district'))
        OR (kind = 'zone' AND parent_kind = 'site')),
    CONSTRAINT site_tree_zone_key UNIQUE (tenant_id, site_id, parent_id)
);
CREATE INDEX site_tree_below ON site_tree (tenant_id, parent_id, site_id);
SELECT app.protect('site_tree');
GRANT SELECT, INSERT, UPDATE (parent_id, parent_kind, since), DELETE ON site_tree TO rmap_app;

-- Where it was before. What it was in may be gone by now.
CREATE TABLE site_placements (
    tenant_id uuid NOT NULL,
    site_id   uuid NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    parent_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, site_id, since),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CHECK (until > since)
);
CREATE INDEX site_placements_parent ON site_placements (tenant_id, parent_id, until);
SELECT app.protect('site_placements');
GRANT SELECT, INSERT, DELETE ON site_placements TO rmap_app;

-- Plans count stores; regions, districts and zones only sort them.
DROP TRIGGER keep_limit ON sites;
CREATE TRIGGER keep_limit BEFORE INSERT ON sites FOR EACH ROW
    WHEN (NEW.kind = 'site') EXECUTE FUNCTION app.keep_limit('sites');
-- In place of the same of 0014.
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
            RETURN (SELECT count(*) FROM sites s WHERE s.tenant_id = of_tenant AND s.kind = 'site');
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

-- Sensors are at stores, and may be in a zone of theirs; campaigns run at stores.
ALTER TABLE sensors
    ADD COLUMN site_kind text NOT NULL DEFAULT 'site' CHECK (site_kind = 'site'),
    ADD COLUMN zone_id uuid,
    ADD COLUMN key_prefix text,
    DROP CONSTRAINT sensors_tenant_id_site_id_fkey,
    ADD CONSTRAINT sensors_site FOREIGN KEY (tenant_id, site_id, site_kind) REFERENCES sites (tenant_id, id, kind),
    ADD CONSTRAINT sensors_zone FOREIGN KEY (tenant_id, zone_id, site_id)
        REFERENCES site_tree (tenant_id, site_id, parent_id);
CREATE INDEX sensors_in_zone ON sensors (tenant_id, zone_id) WHERE zone_id IS NOT NULL;
GRANT UPDATE (serial, zone_id, key_prefix) ON sensors TO rmap_app;
ALTER TABLE campaign_sites
    ADD COLUMN site_kind text NOT NULL DEFAULT 'site' CHECK (site_kind = 'site'),
    DROP CONSTRAINT campaign_sites_tenant_id_site_id_fkey,
    ADD CONSTRAINT campaign_sites_site FOREIGN KEY (tenant_id, site_id, site_kind)
        REFERENCES sites (tenant_id, id, kind);

-- What a sensor was before its device was replaced: what an old device measured in its time still counts to it.
CREATE TABLE sensor_devices (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    sensor_id  uuid NOT NULL,
    serial     text NOT NULL CHECK (length(serial) BETWEEN 1 AND 128),
    vendor     text NOT NULL,
    key_prefix text,
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE,
    CHECK (until > since)
);
CREATE INDEX sensor_devices_sensor ON sensor_devices (tenant_id, sensor_id, since);
CREATE INDEX sensor_devices_serial ON sensor_devices (tenant_id, serial, until);
SELECT app.protect('sensor_devices');
GRANT SELECT, INSERT, DELETE ON sensor_devices TO rmap_app;

-- When a sensor was last heard of, and by how much what it said was behind (below zero: ahead of) the moment it came.
-- `steady_since`: since when that has been about the same. `clock_s`: what its clock itself was behind, where it told.
CREATE TABLE sensor_beats (
    tenant_id    uuid NOT NULL,
    sensor_id    uuid NOT NULL,
    seen_at      timestamptz NOT NULL,
    measured_at  timestamptz,
    lag_s        double precision,
    steady_since timestamptz,
    clock_s      double precision,
    PRIMARY KEY (tenant_id, sensor_id),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
SELECT app.protect('sensor_beats');
GRANT SELECT, INSERT, UPDATE (seen_at, measured_at, lag_s, steady_since, clock_s), DELETE ON sensor_beats TO rmap_app;

-- What was counted, where a calibration made another number of it; null where none did.
ALTER TABLE people_counts ADD COLUMN raw_entries integer, ADD COLUMN raw_exits integer;
GRANT UPDATE (raw_entries, raw_exits) ON people_counts TO rmap_app;

-- The one rule of how a sensor is. A device that sends what it counted comes once in each of its intervals. One that is
-- behind and catches up comes nearer to now from push to push; one whose clock is wrong stays as far away.
CREATE FUNCTION app.sensor_health(interval_minutes integer, beat sensor_beats, moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN (beat).seen_at IS NULL
         OR moment - (beat).seen_at > greatest(interval '1 hour', interval_minutes * interval '4 minutes')
        THEN 'offline'
    WHEN abs((beat).clock_s) > 120
         OR (beat).lag_s < -120
         OR (beat).measured_at < timestamptz '2000-01-01 00:00Z'
         OR ((beat).lag_s > 300 + 120 * interval_minutes
             AND (beat).seen_at - (beat).steady_since >= interval_minutes * interval '1 minute')
        THEN 'clock_skewed'
    WHEN moment - (beat).seen_at > interval '5 minutes' + interval_minutes * interval '2 minutes' THEN 'late'
    ELSE 'online'
END;

-- Finds sites of the tenant that was entered, by an index, and tells their ids in order: who reads them does so under
-- row security, which would have had every row looked at before it was asked whether it matches.
GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (tenant_id, id, kind, code, sort_name, words, metadata, position) ON sites TO rmap_door;
GRANT SELECT (tenant_id, site_id, kind, parent_id) ON site_tree TO rmap_door;
CREATE POLICY door ON sites FOR SELECT TO rmap_door USING (true);
CREATE POLICY door ON site_tree FOR SELECT TO rmap_door USING (true);
CREATE FUNCTION app.find_sites(
    want_kind text, want_words text, want_metadata jsonb, want_parent uuid, want_within uuid, want_roots boolean,
    near_latitude double precision, near_longitude double precision, radius_m double precision,
    sorted text, after_key text, after_id uuid, page integer)
RETURNS TABLE (id uuid, distance_m double precision)
LANGUAGE plpgsql STABLE ROWS 50 SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    earth double precision := 6371008.8;
    here cube := app.position(near_latitude, near_longitude);
    chord double precision := 2 * sin(least(radius_m / (2 * earth), pi() / 2));
    below uuid[];
    wanted tsquery;
    descends boolean := sorted LIKE '-%';
    -- Constants of this function alone are put together; whatever was asked for is bound.
    key text := CASE ltrim(sorted, '-') WHEN 'name' THEN 's.sort_name' WHEN 'code' THEN 's.code'
                                        WHEN 'distance' THEN 's.position <-> $8' END;
    kind_of_key text := CASE ltrim(sorted, '-') WHEN 'distance' THEN 'double precision' ELSE 'text' END;
    query text := 'SELECT s.id, ' || CASE WHEN here IS NULL THEN 'NULL::double precision'
        ELSE '2 * $10 * asin(least(1, (s.position <-> $8) / 2))' END || ' FROM sites s WHERE s.tenant_id = $1';
BEGIN
    IF want_kind IS NOT NULL THEN
        query := query || ' AND s.kind = $2';
    END IF;
    IF want_words IS NOT NULL THEN
        -- The last may be the beginning of a word: what many words begin with is read whole, so the others may not.
        SELECT string_agg(quote_literal(app.own_word(tenant, word)) || CASE WHEN place = last THEN ':*' ELSE '' END,
                          ' & ')::tsquery INTO wanted
        FROM (SELECT word, place, max(place) OVER () AS last
              FROM string_to_table(app.plain(want_words), ' ') WITH ORDINALITY said (word, place)
              WHERE word <> '' ORDER BY place LIMIT 20) words;
        query := query || ' AND s.words @@ $3';
    END IF;
    IF want_metadata IS NOT NULL THEN
        query := query || ' AND s.metadata @> $4';
    END IF;
    IF want_parent IS NOT NULL THEN
        query := query || ' AND EXISTS (SELECT FROM site_tree t
            WHERE t.tenant_id = $1 AND t.site_id = s.id AND t.parent_id = $5)';
    END IF;
    IF want_roots THEN
        query := query || ' AND NOT EXISTS (SELECT FROM site_tree t WHERE t.tenant_id = $1 AND t.site_id = s.id)';
    END IF;
    IF want_within IS NOT NULL THEN
        -- What can hold something of the kind: a zone is in a store, a store in a district or a region.
        WITH RECURSIVE holders AS (
            SELECT want_within AS holder
            UNION ALL
            SELECT t.site_id FROM holders h JOIN site_tree t ON t.parent_id = h.holder
            WHERE t.tenant_id = tenant
                  AND (t.kind = 'district' OR (t.kind = 'site' AND coalesce(want_kind, 'zone') = 'zone'))
        )
        SELECT array_agg(holder) INTO below FROM holders;
        query := query || ' AND EXISTS (SELECT FROM site_tree t
            WHERE t.tenant_id = $1 AND t.site_id = s.id AND t.parent_id = ANY ($6))';
    END IF;
    IF radius_m IS NOT NULL THEN
        query := query || ' AND s.position <@ cube_enlarge($8, $9, 3) AND s.position <-> $8 <= $9';
    ELSIF here IS NOT NULL THEN
        query := query || ' AND s.position IS NOT NULL';
    END IF;
    IF after_id IS NOT NULL THEN
        query := query || ' AND (' || coalesce(key || ', ', '') || 's.id) ' || CASE WHEN descends THEN '<' ELSE '>' END
            || ' (' || CASE WHEN key IS NULL THEN '' ELSE '$11::' || kind_of_key || ', ' END || '$12)';
    END IF;
    query := query || ' ORDER BY ' || CASE WHEN key IS NULL THEN '' ELSE key || CASE WHEN descends THEN ' DESC' ELSE '' END
        || ', ' END || 's.id' || CASE WHEN descends THEN ' DESC' ELSE '' END || ' LIMIT $7';
    RETURN QUERY EXECUTE query
        USING tenant, want_kind, wanted, want_metadata, want_parent, below, page, here, chord, earth, after_key, after_id;
END
$$;
ALTER FUNCTION app.find_sites(text, text, jsonb, uuid, uuid, boolean, double precision, double precision,
                              double precision, text, text, uuid, integer) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.find_sites(text, text, jsonb, uuid, uuid, boolean, double precision, double precision,
                                      double precision, text, text, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_sites(text, text, jsonb, uuid, uuid, boolean, double precision, double precision,
                                         double precision, text, text, uuid, integer) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
