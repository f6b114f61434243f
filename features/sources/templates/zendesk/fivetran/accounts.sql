-- Organizations that ask for help.
--! needs organization
--! left out: deleted in Zendesk | nothing | organization WHERE deleted
-- DECIDE: name and domain are the newest ones, from the creation on. Of several domains the first is taken.
SELECT
    o.id AS account_id,
    o.created AS event_time,
    o.name, --? organization.name
    d.name AS domain, --? domain
FROM organization AS o
LEFT JOIN (SELECT organization, arg_min(name, coalesce(index, 0)) AS name FROM domain GROUP BY 1) AS d ON d.organization = o.id
WHERE o.deleted IS NOT TRUE
