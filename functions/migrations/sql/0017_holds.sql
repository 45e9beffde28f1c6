-- What operators order of an organization's state, and whether a suspension is for its debt alone.

-- The hold: set and cleared by operators alone. `status` is what comes of it together with billing and closing.
ALTER TABLE tenants
    ADD COLUMN held_state  text CHECK (held_state IN ('restricted', 'suspended', 'closing')),
    ADD COLUMN held_reason text CHECK (length(held_reason) <= 255),
    ADD COLUMN held_since  timestamptz,
    ADD CONSTRAINT tenants_held_is_whole
        CHECK ((held_state IS NULL) = (held_reason IS NULL) AND (held_state IS NULL) = (held_since IS NULL));
GRANT UPDATE (held_state, held_reason, held_since) ON tenants TO rmap_app;

-- What was ordered before there were holds: states that neither billing nor an owner leads to.
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE tenants SET held_state = status, held_reason = left(status_reason, 255),
                   held_since = coalesce(status_since, updated_at)
WHERE (status = 'suspended' AND dunning_stage <> 'suspended')
      OR (status = 'restricted' AND dunning_stage = '' AND subscription_status IN ('active', 'trialing', 'past_due'))
      OR (status = 'closing' AND status_reason <> 'closed by its owner');
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;

-- A state as doors are told it: who is suspended for nothing but a debt may come in to pay (tenant_context/states.py).
CREATE FUNCTION app.door_state(status text, dunning_stage text, held_state text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN status = 'suspended' AND dunning_stage = 'suspended' AND held_state IS DISTINCT FROM 'suspended'
            THEN 'suspended_unpaid' ELSE status END;

-- In place of the same of 0011.
CREATE OR REPLACE FUNCTION app.enter_in(of_tenant uuid, app_user uuid, request text, states text[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    present text;
BEGIN
    PERFORM app.enter(of_tenant, app_user, request);
    SELECT app.door_state(t.status, t.dunning_stage, t.held_state) INTO present
    FROM tenants t WHERE t.tenant_id = of_tenant;
    IF present <> ALL (states) THEN
        RAISE EXCEPTION USING ERRCODE = 'RM410', MESSAGE = 'not in this state', DETAIL = json_build_object(
            'state', present)::text;
    END IF;
END
$$;

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (dunning_stage, held_state) ON tenants TO rmap_door;
CREATE OR REPLACE FUNCTION app.places(member uuid)
RETURNS TABLE (tenant_id uuid, slug text, tenant_name text, role text, status text, mfa_required boolean,
               sso_only boolean, provider text, permissions text[], plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, m.role, app.door_state(t.status, t.dunning_stage, t.held_state),
           t.mfa_required, t.sso_only, p.issuer, r.permissions, t.plan
    FROM memberships m
    JOIN tenants t USING (tenant_id)
    LEFT JOIN identity_providers p ON p.tenant_id = t.tenant_id
    LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.name = m.role
    WHERE m.user_id = member
    ORDER BY m.created_at, t.slug
$$;
CREATE OR REPLACE FUNCTION app.tenants_in(states text[], after uuid, page integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id FROM tenants t
    WHERE app.door_state(t.status, t.dunning_stage, t.held_state) = ANY (states)
          AND (after IS NULL OR t.tenant_id > after)
    ORDER BY t.tenant_id
    LIMIT page
$$;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
