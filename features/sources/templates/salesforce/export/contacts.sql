-- People at companies, as this export has them.
-- DECIDE: title and department are the newest ones, from the day of creation on: who was promoted since was always a director.
--! needs contact
--! left out: deleted in Salesforce | nothing | contact WHERE deleted
SELECT
    id AS contact_id,
    created AS event_time,
    account AS account_id, --? contact.account
    email, --? contact.email
    title, --? contact.title
    department, --? contact.department
FROM contact
WHERE deleted IS NOT TRUE
