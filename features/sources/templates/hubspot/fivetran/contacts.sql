-- People at companies, without those that were merged into another.
--! needs contact
--! left out: deleted in HubSpot | nothing | contact WHERE deleted
--! left out: merged into another contact | nothing: what belongs to them is counted for the contact that is left | contact WHERE id IN (SELECT merged FROM contact_merge)
-- DECIDE: title and company of a person are the newest ones, from the day of creation on: who was promoted since was always a director.
SELECT
    c.id AS contact_id,
    c.created AS event_time,
    coalesce(a.company, c.companies[1]) AS account_id,
    c.email, --? contact.email
    c.title, --? contact.title
    c.department, --? contact.department
FROM contact AS c LEFT JOIN (SELECT contact, min(company) AS company FROM contact_company GROUP BY 1) AS a ON a.contact = c.id
WHERE c.deleted IS NOT TRUE AND c.id NOT IN (SELECT merged FROM contact_merge)
