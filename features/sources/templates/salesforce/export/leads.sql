-- Leads: each as it came in, and once more when it was converted, closed, or seen in this export.
-- DECIDE: title, company, email, industry, country, employees and revenue are the newest values, and stand in the first version. Where people
--   fill them in while they work on a lead, they know the outcome (`features audit` looks for it): put NULL in their place in the first SELECT.
--! if lead.converted_at
-- DECIDE: a conversion is known at the end of ConvertedDate, which is a day without a time, and not after the last change of the lead.
--! else
-- DECIDE: there is no ConvertedDate: a conversion is known when the lead was last changed, which may be much later. Export ConvertedDate.
--! end
-- DECIDE: status words. {{words lead.status}}. A lead is disqualified when its word says so (not converted, unqualified, junk, lost ...), and
--   from its last change on; every other word of a lead that is not converted is known from the export on alone.
--! needs lead
--! left out: deleted in Salesforce | nothing | lead WHERE deleted
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM lead
),
judged AS (
    SELECT
        *,
        CASE
            WHEN converted OR (converted IS NULL AND converted_at IS NOT NULL) THEN 'converted'
            WHEN converted IS NULL AND regexp_matches(status, '(?i)convert|won|customer') AND NOT regexp_matches(status, '(?i)not|un') THEN 'converted'
            WHEN regexp_matches(status, '(?i)not.?conv|not.?qual|unqual|disqual|reject|junk|dead|lost|spam|invalid|duplicate|bad') THEN 'disqualified'
            WHEN regexp_matches(status, '(?i)open|new') THEN 'open'
            WHEN regexp_matches(status, '(?i)qualif|mql|sql|accept') THEN 'qualified'
            ELSE 'working'
        END AS word
    FROM lead
    WHERE deleted IS NOT TRUE
)
SELECT
    id AS lead_id,
    created AS event_time,
    'open' AS status,
    NULL::VARCHAR AS account_id, --? lead.converted_account
    company, --? lead.company
    title, --? lead.title
    email, --? lead.email
    source AS channel, --? lead.source
    industry, --? lead.industry
    region, --? lead.region
    country, --? lead.country
    employees, --? lead.employees
    revenue AS annual_revenue, --? lead.revenue
    opted_out, --? lead.opted_out
FROM judged
UNION ALL BY NAME
SELECT
    id AS lead_id,
    greatest(
        created + INTERVAL 1 SECOND,
        CASE word
            WHEN 'converted' THEN coalesce(least(converted_at, modified), modified, moment)
            WHEN 'disqualified' THEN coalesce(modified, moment)
            ELSE moment
        END
    ) AS event_time,
    word AS status,
    CASE WHEN word = 'converted' THEN converted_account END AS account_id, --? lead.converted_account
    company, --? lead.company
    title, --? lead.title
    email, --? lead.email
    source AS channel, --? lead.source
    industry, --? lead.industry
    region, --? lead.region
    country, --? lead.country
    employees, --? lead.employees
    revenue AS annual_revenue, --? lead.revenue
    opted_out, --? lead.opted_out
    owner, --? lead.owner
FROM judged CROSS JOIN exported
