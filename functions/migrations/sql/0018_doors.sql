-- Doors that were open too far: what is judged when, who is erased, whose a domain is, and plans that promised too much.

-- In place of the same of 0014: where there is a limit of endpoints there are webhooks.
CREATE OR REPLACE FUNCTION app.plans() RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{
    "free": {"features": ["webhooks"],
        "limits": {"users": 3, "campaigns": 5, "sites": 1, "sensors": 5, "webhook_endpoints": 1,
                   "custom_domains": 0}},
    "starter": {"features": ["webhooks"],
        "limits": {"users": 10, "campaigns": 50, "sites": 10, "sensors": 50, "webhook_endpoints": 5,
                   "custom_domains": 0}},
    "professional": {"features": ["custom_roles", "webhooks"],
        "limits": {"users": 50, "campaigns": 500, "sites": 100, "sensors": 1000, "webhook_endpoints": 25,
                   "custom_domains": 1}},
    "enterprise": {"features": ["custom_roles", "sso", "webhooks"],
        "limits": {"users": null, "campaigns": null, "sites": null, "sensors": null, "webhook_endpoints": 100,
                   "custom_domains": 10}}
}'::jsonb;

-- When a row is judged by its tenant's limits and features. What is added is judged when it was made; what comes back,
-- when it does; what an import adds was made long ago, so its loader says when that is.
CREATE FUNCTION app.judged_at(made timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('app.moment', true), '')::timestamptz, made);

-- In place of the same of 0011.
CREATE OR REPLACE FUNCTION app.keep_limit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text := TG_ARGV[0];
    moment timestamptz;
    may record;
    used bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        moment := app.judged_at(NEW.updated_at);
    ELSE
        moment := app.judged_at(NEW.created_at);
    END IF;
    SELECT * INTO may FROM app.allowance(NEW.tenant_id, what, moment);
    IF may.allowed IS NULL THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(what || NEW.tenant_id::text, 0));
    used := app.usage(NEW.tenant_id, what, moment);
    IF used >= may.allowed THEN
        RAISE EXCEPTION USING ERRCODE = 'RM402', MESSAGE = 'limit reached', DETAIL = json_build_object(
            'limit', what, 'value', may.allowed, 'usage', used)::text;
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE FUNCTION app.keep_feature() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT app.has_feature(NEW.tenant_id, TG_ARGV[0], app.judged_at(NEW.updated_at)) THEN
        RAISE EXCEPTION USING ERRCODE = 'RM403', MESSAGE = 'feature not in plan', DETAIL = json_build_object(
            'feature', TG_ARGV[0])::text;
    END IF;
    RETURN NEW;
END
$$;

-- Who goes with a tenant is not for functions to say: who its members were when its erasure began, and of those only
-- fewer as it goes on. And nothing begins for what is no closed tenant, so that app.being_erased() is false for it.
CREATE FUNCTION app.keep_people() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT coalesce(OLD.mark -> 'people', '[]') @> coalesce(NEW.mark -> 'people', '[]') THEN
            RAISE EXCEPTION 'nobody joins who is erased' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.tenant_id IS DISTINCT FROM nullif(current_setting('app.tenant_id', true), '')::uuid THEN
        RETURN NEW;  -- row security refuses it, in words that are the same for every table
    END IF;
    IF NOT EXISTS (SELECT FROM tenants t WHERE t.tenant_id = NEW.tenant_id AND t.status = 'closed') THEN
        RAISE EXCEPTION 'no closed tenant to erase' USING ERRCODE = 'insufficient_privilege';
    END IF;
    NEW.mark := NEW.mark || jsonb_build_object('people', (
        SELECT coalesce(jsonb_agg(m.user_id ORDER BY m.user_id), '[]') FROM memberships m
        WHERE m.tenant_id = NEW.tenant_id));
    NEW.finished_at := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_people BEFORE INSERT OR UPDATE ON erasures FOR EACH ROW EXECUTE FUNCTION app.keep_people();

-- Another organization's DNS said so while this one's record was gone: whose, and since when.
ALTER TABLE custom_domains ADD COLUMN contested_by uuid, ADD COLUMN contested_at timestamptz;
GRANT UPDATE (contested_by, contested_at) ON custom_domains TO rmap_app;

GRANT CREATE ON SCHEMA app TO rmap_door;
GRANT SELECT (challenge) ON custom_domains TO rmap_door;
-- Who holds a domain that the entered tenant has claimed as well, and what its DNS says while it does.
CREATE FUNCTION app.holder_of(claimed text) RETURNS TABLE (tenant_id uuid, challenge text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT d.tenant_id, d.challenge FROM custom_domains d
    WHERE d.domain = claimed AND d.verified_at IS NOT NULL
          AND EXISTS (SELECT FROM custom_domains mine
                      WHERE mine.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid
                            AND mine.domain = claimed)
$$;
ALTER FUNCTION app.holder_of(text) OWNER TO rmap_door;
REVOKE ALL ON FUNCTION app.holder_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.holder_of(text) TO rmap_app;

-- In place of the same of 0014: nobody logs in to an organization that is suspended, unless to pay, or that is closed.
CREATE OR REPLACE FUNCTION app.place_at(place_slug text, place_domain text)
RETURNS TABLE (slug text, tenant_name text, single_sign_on boolean, display_name text, primary_color text,
               accent_color text, logo_url text, logo_alt text, support_email text, support_url text, footer text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT t.slug, t.name, EXISTS (SELECT FROM identity_providers p WHERE p.tenant_id = t.tenant_id),
           b.display_name, b.primary_color, b.accent_color, b.logo_url, b.logo_alt, b.support_email, b.support_url,
           b.footer
    FROM tenants t LEFT JOIN tenant_branding b ON b.tenant_id = t.tenant_id
    WHERE app.door_state(t.status, t.dunning_stage, t.held_state) NOT IN ('suspended', 'closed')
          AND (t.slug = place_slug
               OR t.tenant_id = (SELECT d.tenant_id FROM custom_domains d
                                 WHERE d.domain = place_domain AND d.verified_at IS NOT NULL))
$$;
REVOKE CREATE ON SCHEMA app FROM rmap_door;
