-- Leads: HubSpot has none of its own kind (or few use it), so every contact is one: as it was created, when it became qualified or a customer,
-- and as this export has it.
--! needs contact
-- DECIDE: every contact is a lead, {{count contact}} in all. A contact of a company that is a customer already gets no score by itself. Narrow
--   it with WHERE stage <> 'Subscriber' or a list membership only if people are put there when they come in, not when they buy.
-- DECIDE: title, company and industry are the newest values, and stand in the first version; `features audit` looks for those that were filled
--   in after the outcome.
--! if contact.companies
-- DECIDE: a contact belongs to the first (or primary) company of its cell, from its creation on; {{count contact WHERE len(companies) > 1}} have several.
--! end
--! if contact.customer_at
-- DECIDE: a lead is converted on 'Became a Customer Date'. HubSpot clears that date when somebody sets the stage back. Contacts at stage
--   Customer without a date count from the export on ({{count contact WHERE customer_at IS NULL AND regexp_matches(stage, '(?i)customer')}}).
--! else
-- DECIDE: there is no 'Became a Customer Date': who is a customer now is known from the export on alone, and only won deals date a conversion.
--   Export that property.
--! end
--! if contact.lead_status
-- DECIDE: lead status words. {{words contact.lead_status}}. One that says unqualified is known from the last change of the contact on.
--! end
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created), coalesce(customer_at, created))) + INTERVAL 1 SECOND AS moment FROM contact
),
version AS (
    SELECT id, created AS event_time, 'open' AS status FROM contact
    UNION ALL
    SELECT id, greatest(least(mql_at, sql_at), created + INTERVAL 1 SECOND), 'qualified' FROM contact WHERE mql_at IS NOT NULL OR sql_at IS NOT NULL
    UNION ALL
    SELECT id, greatest(customer_at, created + INTERVAL 2 SECOND), 'converted' FROM contact WHERE customer_at IS NOT NULL
    UNION ALL
    SELECT
        id,
        CASE WHEN regexp_matches(lead_status, '(?i)unqual|disqual|bad|junk|not.?interest') THEN coalesce(modified, moment) ELSE moment END,
        CASE
            WHEN customer_at IS NOT NULL OR regexp_matches(stage, '(?i)customer|evangelist') THEN 'converted'
            WHEN regexp_matches(lead_status, '(?i)unqual|disqual|bad|junk|not.?interest') THEN 'disqualified'
            WHEN regexp_matches(stage, '(?i)qualified|opportunity') THEN 'qualified'
            WHEN lead_status IS NOT NULL AND NOT regexp_matches(lead_status, '(?i)new|open') THEN 'working'
            ELSE 'open'
        END
    FROM contact CROSS JOIN exported
)
SELECT
    v.id AS lead_id,
    v.event_time,
    v.status,
    c.companies[1] AS account_id, --? contact.companies
    c.company_name AS company, --? contact.company_name
    c.email, --? contact.email
    c.title, --? contact.title
    c.department, --? contact.department
    c.seniority, --? contact.seniority
    c.source[1] AS channel, --? contact.source
    c.country, --? contact.country
    c.industry, --? contact.industry
    CASE WHEN v.event_time >= e.moment THEN c.owner END AS owner, --? contact.owner
FROM version AS v JOIN contact AS c USING (id) CROSS JOIN exported AS e
