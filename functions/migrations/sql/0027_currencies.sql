-- Targets of amounts are of one currency; whose turn it is to be judged by alerts' rules.

-- Null: the metric is no amount, or nothing was sold in the place yet when the target was set.
ALTER TABLE targets ADD COLUMN currency text CHECK (currency ~ '^[A-Z]{3}$');
ALTER TABLE targets DROP CONSTRAINT targets_key;
ALTER TABLE targets ADD CONSTRAINT targets_key
    UNIQUE NULLS NOT DISTINCT (tenant_id, site_id, metric, period, first_day, currency);

-- What was set before is of the currency that there is, where there is one.
ALTER TABLE targets NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sales_day NO FORCE ROW LEVEL SECURITY;
UPDATE targets t SET currency = d.currency
FROM (SELECT tenant_id, place_id, min(currency) AS currency FROM sales_day
      GROUP BY tenant_id, place_id HAVING count(DISTINCT currency) = 1) d
WHERE d.tenant_id = t.tenant_id AND d.place_id = t.site_id
  AND t.metric IN ('revenue', 'average_basket', 'sales_per_visitor');
ALTER TABLE sales_day FORCE ROW LEVEL SECURITY;
ALTER TABLE targets FORCE ROW LEVEL SECURITY;

-- Where the last run of the job stopped: the next one goes on after it.
CREATE TABLE alert_turns (
    tenant_id uuid PRIMARY KEY,
    rule_id   uuid NOT NULL,
    place_id  uuid NOT NULL
);
SELECT app.protect('alert_turns');
GRANT SELECT, INSERT, UPDATE (rule_id, place_id), DELETE ON alert_turns TO rmap_app;
