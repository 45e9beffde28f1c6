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
