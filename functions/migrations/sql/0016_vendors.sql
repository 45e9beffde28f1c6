-- How sensors are read, standings of cumulative counters, and refused rows that were sent again.

-- Written and read by the application alone, as one document: the door of ingest has the same one in DynamoDB.
ALTER TABLE sensors ADD COLUMN setup jsonb NOT NULL DEFAULT '{}';
GRANT UPDATE (setup) ON sensors TO rmap_app;

-- Where counters stood that never go back by themselves. Intervals in people_counts are made of each two that follow
-- one another, again whenever one comes between or is corrected.
CREATE TABLE counter_readings (
    tenant_id   uuid NOT NULL,
    sensor_id   uuid NOT NULL,
    line        text NOT NULL,
    at          timestamptz NOT NULL,
    entries     bigint NOT NULL CHECK (entries >= 0),
    exits       bigint NOT NULL CHECK (exits >= 0),
    received_at timestamptz NOT NULL,
    batch_id    uuid NOT NULL,
    revision    smallint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant_id, sensor_id, line, at)
);
SELECT app.protect('counter_readings');
GRANT SELECT, INSERT, DELETE ON counter_readings TO rmap_app;
GRANT UPDATE (entries, exits, received_at, batch_id, revision) ON counter_readings TO rmap_app;

ALTER TABLE rejected_rows ADD COLUMN resubmitted_as uuid;
ALTER TABLE rejected_rows ADD COLUMN resubmitted_at timestamptz;
GRANT UPDATE (resubmitted_as, resubmitted_at) ON rejected_rows TO rmap_app;
