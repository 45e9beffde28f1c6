-- How good what sensors say is, day by day.

-- What came of a sensor for a day of its store, and what was found in it. `received`: rows that could be counted;
-- `duplicates`: those among all that came which said what was known already; `late`: received an hour or more, and two
-- intervals, after they ended; `rejected`: refused rows that name the sensor, of which `leapt` are of times that the
-- clocks leap over, `doubtful` of times that exist twice, and `ahead` of the future. Without a score it waits for one.
CREATE TABLE quality_days (
    tenant_id  uuid NOT NULL,
    sensor_id  uuid NOT NULL,
    day        date NOT NULL,
    received   integer NOT NULL DEFAULT 0,
    duplicates integer NOT NULL DEFAULT 0,
    revised    integer NOT NULL DEFAULT 0,
    late       integer NOT NULL DEFAULT 0,
    rejected   integer NOT NULL DEFAULT 0,
    leapt      integer NOT NULL DEFAULT 0,
    doubtful   integer NOT NULL DEFAULT 0,
    ahead      integer NOT NULL DEFAULT 0,
    touched_at timestamptz NOT NULL,
    scored_at  timestamptz,
    score      smallint CHECK (score BETWEEN 0 AND 100),
    parts      jsonb NOT NULL DEFAULT '{}',
    findings   text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, sensor_id, day),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX quality_days_due ON quality_days (tenant_id, day, sensor_id) WHERE scored_at IS NULL;
CREATE INDEX quality_days_found ON quality_days (tenant_id, sensor_id, day) WHERE findings <> '{}';
SELECT app.protect('quality_days');
GRANT SELECT, INSERT, DELETE,
      UPDATE (received, duplicates, revised, late, rejected, leapt, doubtful, ahead, touched_at, scored_at, score, parts,
              findings)
    ON quality_days TO rmap_app;

-- What is wrong with a sensor's data, for as many days running as it is.
CREATE TABLE quality_incidents (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    sensor_id uuid NOT NULL,
    kind      text NOT NULL,
    first_day date NOT NULL,
    last_day  date NOT NULL,
    status    text NOT NULL CHECK (status IN ('open', 'closed')),
    reason    text NOT NULL DEFAULT '' CHECK (reason IN ('', 'ended', 'mended')),
    found_at  timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE,
    CHECK (last_day >= first_day),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE INDEX quality_incidents_sensor ON quality_incidents (tenant_id, sensor_id, id);
SELECT app.protect('quality_incidents');
GRANT SELECT, INSERT, UPDATE (first_day, last_day, status, reason, closed_at), DELETE ON quality_incidents TO rmap_app;

-- How many may be inside a store or a zone, and whether they are. `measured_until`: the newest quarter of an hour that
-- was judged; what is older does not change what was told.
CREATE TABLE occupancy_limits (
    tenant_id      uuid NOT NULL,
    site_id        uuid NOT NULL,
    capacity       integer NOT NULL CHECK (capacity BETWEEN 1 AND 1000000),
    clear_at       integer NOT NULL CHECK (clear_at >= 0 AND clear_at < capacity),
    reached        boolean NOT NULL DEFAULT false,
    changed_at     timestamptz,
    measured_until timestamptz,
    version        integer NOT NULL DEFAULT 1,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, site_id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('occupancy_limits');
GRANT SELECT, INSERT, UPDATE (capacity, clear_at, reached, changed_at, measured_until, version, updated_at), DELETE
    ON occupancy_limits TO rmap_app;

-- What was last told of a sensor's health. Without a row, nothing was: the first one is told of as well.
CREATE TABLE sensor_health (
    tenant_id uuid NOT NULL,
    sensor_id uuid NOT NULL,
    health    text NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id),
    FOREIGN KEY (tenant_id, sensor_id) REFERENCES sensors (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('sensor_health');
GRANT SELECT, INSERT, UPDATE (health, since), DELETE ON sensor_health TO rmap_app;

-- What is to be told of places; the condition is written and read by the application alone.
CREATE TABLE alert_rules (
    tenant_id  uuid NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    site_id    uuid NOT NULL,
    each_store boolean NOT NULL,
    condition  jsonb NOT NULL,
    severity   text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    enabled    boolean NOT NULL,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('alert_rules');
GRANT SELECT, INSERT, UPDATE (name, site_id, each_store, condition, severity, enabled, version, updated_at), DELETE
    ON alert_rules TO rmap_app;

-- What was told: of a rule and a place one at a time.
CREATE TABLE alerts (
    tenant_id       uuid NOT NULL,
    id              uuid NOT NULL,
    rule_id         uuid NOT NULL,
    site_id         uuid NOT NULL,
    status          text NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved')),
    reason          text NOT NULL DEFAULT '',
    value           numeric,
    measured_at     timestamptz NOT NULL,
    message         text NOT NULL,
    note            text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    opened_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by uuid,
    resolved_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rules (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX alerts_one_at_a_time ON alerts (tenant_id, rule_id, site_id) WHERE status <> 'resolved';
CREATE INDEX alerts_site ON alerts (tenant_id, site_id, id);
SELECT app.protect('alerts');
GRANT SELECT, INSERT, UPDATE (status, reason, note, acknowledged_at, acknowledged_by, resolved_at), DELETE
    ON alerts TO rmap_app;

-- What a place is to come to in a period, which begins with a day of its own clock. `cascaded_from`: the target of the
-- place it is in that it is a share of.
CREATE TABLE targets (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    site_id       uuid NOT NULL,
    metric        text NOT NULL,
    period        text NOT NULL CHECK (period IN ('day', 'week', 'month', 'quarter', 'year')),
    first_day     date NOT NULL,
    value         numeric(18, 4) NOT NULL CHECK (value >= 0),
    cascaded_from uuid,
    version       integer NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT targets_key UNIQUE (tenant_id, site_id, metric, period, first_day),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE
);
SELECT app.protect('targets');
GRANT SELECT, INSERT, UPDATE (value, cascaded_from, version, updated_at), DELETE ON targets TO rmap_app;
