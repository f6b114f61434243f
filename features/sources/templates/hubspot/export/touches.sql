-- What contacts did first: a form, a visit, an opened or clicked mail.
--! needs contact
--! only if contact.first_form or contact.first_seen or contact.first_open or contact.first_click
-- DECIDE: an export of contacts has the first and the newest form, visit and mail of each, not those between. Only the first ones are read: the
--   newest are overwritten by the next, so their absence before a day would tell that something happened after it. A list of events (email
--   events, activities, or the layout hubspot:fivetran) has them all.
--! if contact.first_form
SELECT id AS lead_id, id AS contact_id, companies[1] AS account_id, first_form AS event_time, 'form_fill' AS kind, 'in' AS direction FROM contact WHERE first_form IS NOT NULL
UNION ALL BY NAME
--! end
--! if contact.first_seen
SELECT id AS lead_id, id AS contact_id, companies[1] AS account_id, first_seen AS event_time, 'web_visit' AS kind, 'in' AS direction FROM contact WHERE first_seen IS NOT NULL
UNION ALL BY NAME
--! end
--! if contact.first_open
SELECT id AS lead_id, id AS contact_id, companies[1] AS account_id, first_open AS event_time, 'email_open' AS kind, 'in' AS direction FROM contact WHERE first_open IS NOT NULL
UNION ALL BY NAME
--! end
SELECT id AS lead_id, id AS contact_id, companies[1] AS account_id, first_click AS event_time, 'email_click' AS kind, 'in' AS direction FROM contact WHERE first_click IS NOT NULL
