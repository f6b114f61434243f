-- Companies: each as it was created, and once more as this export has it.
--! needs company
-- DECIDE: domain, industry, country, region, employees and revenue are the newest values, and stand in the first version, as if they had
--   always been so. HubSpot fills many of them in when a company is created; what your team fills in once a deal is near knows the outcome
--   (`features audit` looks for it). Then put NULL in their place in the first SELECT: they count from the day of the export on.
--! if company.source
-- DECIDE: channel is the original traffic source, which HubSpot sets at the first visit. Where a cell has several, the first is taken
--   ({{count company WHERE len(source) > 1}} rows).
--! end
-- DECIDE: lifecycle stage, owner and your own columns are known from the export on alone, because nobody knows what they were before. A model
--   learns nothing from them until exports are kept as versions or a history is there.
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM company
)
SELECT
    id AS account_id,
    created AS event_time,
    name, --? company.name
    domain, --? company.domain
    NULL::VARCHAR AS kind, --? company.stage or company.kind
    industry, --? company.industry
    region, --? company.region
    country, --? company.country
    employees, --? company.employees
    revenue AS annual_revenue, --? company.revenue
    source[1] AS channel, --? company.source
    parent AS parent_id, --? company.parent
FROM company
UNION ALL BY NAME
SELECT
    id AS account_id,
    moment AS event_time,
    name, --? company.name
    domain, --? company.domain
    CASE
        WHEN regexp_matches(kind, '(?i)partner|reseller|vendor') THEN 'partner'
        WHEN regexp_matches(kind, '(?i)competitor') THEN 'competitor'
        WHEN regexp_matches(stage, '(?i)^(customer|evangelist)') THEN 'customer'
        ELSE 'prospect'
    END AS kind, --? company.stage or company.kind
    industry, --? company.industry
    region, --? company.region
    country, --? company.country
    employees, --? company.employees
    revenue AS annual_revenue, --? company.revenue
    source[1] AS channel, --? company.source
    owner, --? company.owner
    parent AS parent_id, --? company.parent
    tier AS target_tier, --? company.tier
    {{own company}}
FROM company CROSS JOIN exported
