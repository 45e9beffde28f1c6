-- An owner's wish to close, apart from the state that it leads to: an operator's hold stands over it and does not end it.

ALTER TABLE tenants
    ADD COLUMN wished_closes_at timestamptz,
    ADD COLUMN wished_by        uuid,
    ADD CONSTRAINT tenants_wish_is_of_somebody CHECK (wished_by IS NULL OR wished_closes_at IS NOT NULL);
COMMENT ON COLUMN tenants.wished_closes_at IS 'when the tenant is closed for good by its owner''s wish';
COMMENT ON COLUMN tenants.wished_by IS 'the owner whose wish it is; null for wishes of before this was kept';
GRANT UPDATE (wished_closes_at, wished_by) ON tenants TO rmap_app;

-- Whom no operator closes, their owner does.
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE tenants SET wished_closes_at = closes_at
WHERE status = 'closing' AND held_state IS DISTINCT FROM 'closing' AND closes_at IS NOT NULL;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
