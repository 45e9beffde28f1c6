-- Files of counts or receipts that are put into S3 and read from there, piece by piece.

CREATE TABLE ingest_uploads (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('counts', 'transactions')),
    form          text NOT NULL CHECK (form IN ('csv', 'json', 'ndjson')),
    name          text NOT NULL DEFAULT '' CHECK (length(name) <= 255),
    sensor        text CHECK (length(sensor) <= 128),
    -- As announced; what comes has to be as long.
    bytes         bigint NOT NULL CHECK (bytes > 0),
    status        text NOT NULL CHECK (status IN ('waiting', 'queued', 'reading', 'done', 'failed', 'cancelled')),
    reason        text NOT NULL DEFAULT '',
    requested_by  text NOT NULL,
    -- Its parts in S3, while they come; its version there, once it is whole.
    upload        text,
    etag          text,
    -- Where the next piece begins; what it says is the worker's business.
    mark          jsonb NOT NULL DEFAULT '{}',
    bytes_read    bigint NOT NULL DEFAULT 0,
    rows          bigint NOT NULL DEFAULT 0,
    accepted      bigint NOT NULL DEFAULT 0,
    duplicates    bigint NOT NULL DEFAULT 0,
    rejected      bigint NOT NULL DEFAULT 0,
    parts         integer NOT NULL DEFAULT 0,
    -- Which worker has it: who wakes up after another took over may note nothing any more.
    run           integer NOT NULL DEFAULT 0,
    claimed_until timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    received_at   timestamptz,
    finished_at   timestamptz,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ingest_uploads_open ON ingest_uploads (tenant_id, expires_at)
    WHERE status IN ('waiting', 'queued', 'reading');
SELECT app.protect('ingest_uploads');
GRANT SELECT, INSERT, DELETE ON ingest_uploads TO rmap_app;
GRANT UPDATE (status, reason, upload, etag, mark, bytes_read, rows, accepted, duplicates, rejected, parts, run,
              claimed_until, updated_at, received_at, finished_at, expires_at) ON ingest_uploads TO rmap_app;

-- What undoes a receipt is found from either side.
CREATE INDEX transactions_links ON transactions (tenant_id, site_id, cancels, at) WHERE cancels IS NOT NULL;
