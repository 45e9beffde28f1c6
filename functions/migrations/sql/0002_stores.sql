-- Sites, sensors, the raw counts and transactions by month, and their 15-minute rollups.

CREATE TABLE sites (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    code       text NOT NULL CHECK (length(code) BETWEEN 1 AND 64),
    address    text NOT NULL DEFAULT '',
    time_zone  text NOT NULL,
    metadata   jsonb NOT NULL DEFAULT '{}',
    version    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT sites_code_key UNIQUE (tenant_id, code)
);
CREATE INDEX sites_search ON sites USING gin (to_tsvector('english', name || ' ' || address));
CREATE INDEX sites_metadata ON sites USING gin (metadata);
SELECT app.protect('sites');
GRANT SELECT, INSERT, DELETE ON sites TO rmap_app;
GRANT UPDATE (name, code, address, time_zone, metadata, version, updated_at) ON sites TO rmap_app;

CREATE TABLE sensors (
    tenant_id        uuid NOT NULL,
    id               uuid NOT NULL,
    site_id          uuid NOT NULL,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    serial           text NOT NULL CHECK (length(serial) BETWEEN 1 AND 128),
    kind             text NOT NULL CHECK (kind IN ('line', 'zone')),
    vendor           text NOT NULL DEFAULT '',
    interval_minutes smallint NOT NULL CHECK (interval_minutes BETWEEN 1 AND 1440),
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'retired')),
    version          integer NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id),
    CONSTRAINT sensors_serial_key UNIQUE (tenant_id, serial)
);
CREATE INDEX sensors_site ON sensors (tenant_id, site_id);
SELECT app.protect('sensors');
GRANT SELECT, INSERT, DELETE ON sensors TO rmap_app;
GRANT UPDATE (name, site_id, vendor, interval_minutes, status, version, updated_at) ON sensors TO rmap_app;

-- Raw counts. No foreign key: the processor joins the sensor in the same transaction, and a sensor is retired,
-- never removed, while it has counts.
CREATE TABLE people_counts (
    tenant_id   uuid NOT NULL,
    sensor_id   uuid NOT NULL,
    line        text NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    site_id     uuid NOT NULL,
    entries     integer NOT NULL CHECK (entries >= 0),
    exits       integer NOT NULL CHECK (exits >= 0),
    received_at timestamptz NOT NULL,
    revision    smallint NOT NULL DEFAULT 1,
    batch_id    uuid NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id, line, starts_at)
) PARTITION BY RANGE (starts_at);
CREATE INDEX people_counts_site_time ON people_counts (tenant_id, site_id, starts_at);
SELECT app.protect('people_counts');
GRANT SELECT, INSERT, UPDATE (ends_at, site_id, entries, exits, received_at, revision, batch_id), DELETE
    ON people_counts TO rmap_app;

-- What a count said before it was corrected.
CREATE TABLE people_count_revisions (
    tenant_id   uuid NOT NULL,
    sensor_id   uuid NOT NULL,
    line        text NOT NULL,
    starts_at   timestamptz NOT NULL,
    revision    smallint NOT NULL,
    entries     integer NOT NULL,
    exits       integer NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sensor_id, line, starts_at, revision)
);
SELECT app.protect('people_count_revisions');
GRANT SELECT, INSERT, DELETE ON people_count_revisions TO rmap_app;

-- A quarter of an hour is the largest step that every time zone's days are whole numbers of.
CREATE TABLE footfall_15m (
    tenant_id uuid NOT NULL,
    site_id   uuid NOT NULL,
    bucket    timestamptz NOT NULL,
    entries   bigint NOT NULL,
    exits     bigint NOT NULL,
    intervals integer NOT NULL,
    minutes   integer NOT NULL,
    PRIMARY KEY (tenant_id, site_id, bucket)
);
SELECT app.protect('footfall_15m');
GRANT SELECT, INSERT, UPDATE (entries, exits, intervals, minutes), DELETE ON footfall_15m TO rmap_app;

CREATE TABLE transactions (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    id          text NOT NULL CHECK (length(id) BETWEEN 1 AND 128),
    at          timestamptz NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total       numeric(14, 4) NOT NULL,
    units       numeric(14, 3) NOT NULL,
    cancels     text,
    lines       jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    revision    smallint NOT NULL DEFAULT 1,
    batch_id    uuid NOT NULL,
    PRIMARY KEY (tenant_id, site_id, id, at)
) PARTITION BY RANGE (at);
SELECT app.protect('transactions');
GRANT SELECT, INSERT, UPDATE (currency, total, units, cancels, lines, received_at, revision, batch_id), DELETE
    ON transactions TO rmap_app;

CREATE TABLE transaction_revisions (
    tenant_id   uuid NOT NULL,
    site_id     uuid NOT NULL,
    id          text NOT NULL,
    at          timestamptz NOT NULL,
    revision    smallint NOT NULL,
    currency    text NOT NULL,
    total       numeric(14, 4) NOT NULL,
    units       numeric(14, 3) NOT NULL,
    cancels     text,
    lines       jsonb NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, site_id, id, at, revision)
);
SELECT app.protect('transaction_revisions');
GRANT SELECT, INSERT, DELETE ON transaction_revisions TO rmap_app;

CREATE TABLE sales_15m (
    tenant_id     uuid NOT NULL,
    site_id       uuid NOT NULL,
    bucket        timestamptz NOT NULL,
    currency      text NOT NULL,
    transactions  bigint NOT NULL,
    cancellations bigint NOT NULL,
    units         numeric(18, 3) NOT NULL,
    revenue       numeric(18, 4) NOT NULL,
    PRIMARY KEY (tenant_id, site_id, bucket, currency)
);
SELECT app.protect('sales_15m');
GRANT SELECT, INSERT, UPDATE (transactions, cancellations, units, revenue), DELETE ON sales_15m TO rmap_app;

-- The month of a moment gets its partition before the first row that needs it: by a job, or on demand for late data.
CREATE FUNCTION app.ensure_month(parent text, moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', moment AT TIME ZONE 'UTC')::date;
    child text := format('%s_%s', parent, to_char(first, 'YYYY_MM'));
BEGIN
    IF parent NOT IN ('people_counts', 'transactions') THEN
        RAISE EXCEPTION 'no table % by month', parent;
    END IF;
    IF first < date '2000-01-01' OR first > (now() + interval '13 months')::date THEN
        RAISE EXCEPTION 'no partition for %: outside 2000 to next year', first USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF to_regclass('public.' || child) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('month:' || child, 0));
    BEGIN
        EXECUTE format(
            'CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
            child, parent, first::timestamp AT TIME ZONE 'UTC',
            (first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        PERFORM app.protect(('public.' || child)::regclass);
    EXCEPTION WHEN duplicate_table THEN
        -- Whoever held the lock before us made it; a session may learn of it only now.
        NULL;
    END;
END
$$;
REVOKE ALL ON FUNCTION app.ensure_month(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.ensure_month(text, timestamptz) TO rmap_app;

-- What came in, batch by batch, and what was refused, row by row.
CREATE TABLE ingest_batches (
    tenant_id   uuid NOT NULL,
    id          uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('counts', 'transactions')),
    received_at timestamptz NOT NULL,
    parts       integer NOT NULL,
    rows        integer NOT NULL,
    rejected    integer NOT NULL,
    duplicates  integer NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT app.protect('ingest_batches');
GRANT SELECT, INSERT, DELETE ON ingest_batches TO rmap_app;

-- One row for each part of a batch that was processed: its key makes a part that is delivered twice count once.
CREATE TABLE ingest_parts (
    tenant_id    uuid NOT NULL,
    batch_id     uuid NOT NULL,
    part         integer NOT NULL,
    stored       integer NOT NULL,
    unchanged    integer NOT NULL,
    revised      integer NOT NULL,
    quarantined  integer NOT NULL,
    processed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, batch_id, part)
);
SELECT app.protect('ingest_parts');
GRANT SELECT, INSERT, DELETE ON ingest_parts TO rmap_app;

CREATE TABLE rejected_rows (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    batch_id  uuid NOT NULL,
    row       integer NOT NULL,
    field     text NOT NULL,
    code      text NOT NULL,
    message   text NOT NULL,
    content   jsonb NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX rejected_rows_batch ON rejected_rows (tenant_id, batch_id, row);
SELECT app.protect('rejected_rows');
GRANT SELECT, INSERT, DELETE ON rejected_rows TO rmap_app;
