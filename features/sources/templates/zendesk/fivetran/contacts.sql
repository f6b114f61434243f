-- People of organizations who ask for help.
--! needs person
--! left out: agents and admins, or deleted | nothing | person WHERE deleted OR role IN ('agent', 'admin')
-- DECIDE: the organization of a person is the newest one, from the creation on.
SELECT
    id AS contact_id,
    created AS event_time,
    organization AS account_id, --? person.organization
    email, --? person.email
FROM person
WHERE deleted IS NOT TRUE AND coalesce(role, '') NOT IN ('agent', 'admin')
