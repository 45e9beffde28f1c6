-- Second factors: a tenant may ask for them of everybody who works in it.
ALTER TABLE tenants ADD COLUMN mfa_required boolean NOT NULL DEFAULT false;
GRANT UPDATE (mfa_required) ON tenants TO rmap_app;
GRANT SELECT (mfa_required) ON tenants TO rmap_door;

GRANT CREATE ON SCHEMA app TO rmap_door;

-- Log-in: in place of app.find_login, which the release before still asks.
CREATE FUNCTION app.find_user(login_email text)
RETURNS TABLE (user_id uuid, user_name text, password_hash text, tenant_id uuid, slug text, tenant_name text,
               role text, status text, mfa_required boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT u.user_id, u.name, u.password_hash, t.tenant_id, t.slug, t.name, m.role, t.status, t.mfa_required
    FROM users u
    LEFT JOIN memberships m USING (user_id)
    LEFT JOIN tenants t ON t.tenant_id = m.tenant_id
    WHERE u.email = lower(login_email)
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.find_user(text) OWNER TO rmap_door;

-- Switching and refreshing: in place of app.memberships_of.
CREATE FUNCTION app.places_of(member uuid)
RETURNS TABLE (tenant_id uuid, slug text, tenant_name text, role text, status text, mfa_required boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.tenant_id, t.slug, t.name, m.role, t.status, t.mfa_required
    FROM memberships m JOIN tenants t USING (tenant_id)
    WHERE m.user_id = member
    ORDER BY m.created_at, t.slug
$$;
ALTER FUNCTION app.places_of(uuid) OWNER TO rmap_door;

REVOKE ALL ON FUNCTION app.find_user(text), app.places_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_user(text), app.places_of(uuid) TO rmap_app;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
