-- People at companies, as this export has them.
--! needs contact
-- DECIDE: title and the company of a person are the newest ones, from the day of creation on: who was promoted since was always a director.
SELECT
    id AS contact_id,
    created AS event_time,
    companies[1] AS account_id, --? contact.companies
    email, --? contact.email
    title, --? contact.title
    department, --? contact.department
    seniority, --? contact.seniority
FROM contact
