-- Leads: every contact is one, without those that were merged into another.
--! needs contact
--! left out: deleted in HubSpot | nothing | contact WHERE deleted
--! left out: merged into another contact | nothing: what belongs to them is counted for the contact that is left | contact WHERE id IN (SELECT merged FROM contact_merge)
-- DECIDE: every contact is a lead, {{count contact}} in all. A contact of a company that is a customer already gets no score by itself.
-- DECIDE: title, company, industry and country are the newest values, from the creation on; `features audit` looks for those that were filled in
--   after the outcome.
--! if contact_history
-- DECIDE: the status is read from the lifecycle stage and the lead status in contact_property_history, from the moment on at which each was set.
--   It begins on {{first contact_history.changed}}.
--! else
-- DECIDE: there is no contact_property_history: a lead is converted on 'Became a Customer Date' where the table has it, and everything else of its
--   status is known from the last sync on. Sync that table.
--! end
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created), coalesce(customer_at, created))) + INTERVAL 1 SECOND AS moment FROM contact
),
changed AS (
    --! if contact_history
    SELECT
        contact AS id,
        changed AS since,
        max(value) FILTER (WHERE lower(property) = 'lifecyclestage') AS stage,
        max(value) FILTER (WHERE lower(property) = 'hs_lead_status') AS lead_status
    FROM contact_history
    WHERE lower(property) IN ('lifecyclestage', 'hs_lead_status')
    GROUP BY 1, 2
    --! else
    SELECT id, customer_at AS since, 'customer' AS stage, NULL::VARCHAR AS lead_status FROM contact WHERE customer_at IS NOT NULL
    UNION ALL
    SELECT id, moment, CASE WHEN customer_at IS NOT NULL THEN 'customer' ELSE stage END, lead_status FROM contact CROSS JOIN exported
    --! end
),
held AS (
    SELECT
        id,
        since,
        last_value(stage IGNORE NULLS) OVER (PARTITION BY id ORDER BY since) AS stage,
        last_value(lead_status IGNORE NULLS) OVER (PARTITION BY id ORDER BY since) AS lead_status
    FROM changed
),
version AS (
    SELECT id, created AS event_time, 'open' AS status FROM contact
    UNION ALL
    SELECT
        h.id,
        greatest(h.since, c.created + INTERVAL 1 SECOND),
        CASE
            WHEN regexp_matches(h.stage, '(?i)customer|evangelist') THEN 'converted'
            WHEN regexp_matches(h.lead_status, '(?i)unqual|disqual|bad|junk|not.?interest') THEN 'disqualified'
            WHEN regexp_matches(h.stage, '(?i)qualified|opportunity') THEN 'qualified'
            WHEN h.lead_status IS NOT NULL AND NOT regexp_matches(h.lead_status, '(?i)new|open') THEN 'working'
            ELSE 'open'
        END
    FROM held AS h JOIN contact AS c USING (id)
)
SELECT
    v.id AS lead_id,
    v.event_time,
    v.status,
    coalesce(a.company, c.companies[1]) AS account_id,
    c.company_name AS company, --? contact.company_name
    c.email, --? contact.email
    c.title, --? contact.title
    c.source[1] AS channel, --? contact.source
    c.country, --? contact.country
    c.industry, --? contact.industry
    CASE WHEN v.event_time >= e.moment THEN c.owner END AS owner, --? contact.owner
FROM version AS v
JOIN contact AS c USING (id)
LEFT JOIN (SELECT contact, min(company) AS company FROM contact_company GROUP BY 1) AS a ON a.contact = c.id
CROSS JOIN exported AS e
WHERE c.deleted IS NOT TRUE AND c.id NOT IN (SELECT merged FROM contact_merge)
