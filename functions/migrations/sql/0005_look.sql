-- The door of a transaction that only reads: whose it is, and that it may change nothing.
CREATE FUNCTION app.look(tenant uuid, app_user uuid, request text) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT set_config('transaction_read_only', 'on', true),
           set_config('app.tenant_id', tenant::text, true),
           set_config('app.user_id', coalesce(app_user::text, ''), true),
           set_config('app.request_id', request, true);
$$;
