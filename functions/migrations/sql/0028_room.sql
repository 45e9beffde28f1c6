-- Room for what there may be of something: corrections of one interval, and sums of a day.

-- A device that tells of the running day every two seconds corrects its interval 32,767 times in eighteen hours.
ALTER TABLE people_counts ALTER COLUMN revision TYPE integer;
ALTER TABLE people_count_revisions ALTER COLUMN revision TYPE integer;
ALTER TABLE counter_readings ALTER COLUMN revision TYPE integer;
ALTER TABLE transactions ALTER COLUMN revision TYPE integer;
ALTER TABLE transaction_revisions ALTER COLUMN revision TYPE integer;

-- Sums have room for as many receipts as there may be, each as large as one may be; no row is written anew for it.
ALTER TABLE sales_15m ALTER COLUMN units TYPE numeric(30, 3), ALTER COLUMN revenue TYPE numeric(30, 4);
ALTER TABLE sales_day ALTER COLUMN units TYPE numeric(30, 3), ALTER COLUMN revenue TYPE numeric(30, 4);
