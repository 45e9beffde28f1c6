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
