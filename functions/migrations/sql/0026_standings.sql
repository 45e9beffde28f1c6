-- When a counter that begins anew by itself last did, at its standing: what it shows was counted since then.
ALTER TABLE counter_readings ADD COLUMN since timestamptz;
