-- Companies: each as it was created, and once more for each change of a property, or as of the last sync where there is no history.
--! needs company
--! left out: deleted in HubSpot | nothing; a customer who left and was deleted is missing in what models learn from, so close them instead | company WHERE deleted
--! if company_history
-- DECIDE: industry, country, employees, revenue, owner and lifecycle stage are read from company_property_history, each from the moment on at which
--   it was set. It begins on {{first company_history.changed}}; before, they are unknown.
--! else
-- DECIDE: there is no company_property_history, so this is the newest state alone: domain, industry, country, employees and revenue stand in the
--   first version, as if they had always been so; owner and lifecycle stage are known from the last sync on. Sync that table.
--! end
-- DECIDE: name and domain are the newest ones, from the creation on.
--! if company_history
WITH change AS (
    SELECT
        company AS id,
        changed AS since,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'industry') AS industry,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'country') AS country,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'numberofemployees') AS employees,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'annualrevenue') AS revenue,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'hs_analytics_source') AS source,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'hubspot_owner_id') AS owner,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'lifecyclestage') AS stage,
        max(coalesce(value, '')) FILTER (WHERE lower(property) = 'hs_parent_company_id') AS parent
    FROM company_history
    WHERE lower(property) IN (
        'industry', 'country', 'numberofemployees', 'annualrevenue', 'hs_analytics_source', 'hubspot_owner_id', 'lifecyclestage', 'hs_parent_company_id'
    )
    GROUP BY 1, 2
    UNION ALL BY NAME
    SELECT id, created AS since FROM company
),
once AS (SELECT id, since, max(COLUMNS(* EXCLUDE (id, since))) FROM change GROUP BY id, since),
version AS (
    SELECT id, since, nullif(last_value(COLUMNS(* EXCLUDE (id, since)) IGNORE NULLS) OVER (PARTITION BY id ORDER BY since), '')
    FROM once
)
SELECT
    v.id AS account_id,
    v.since AS event_time,
    c.name, --? company.name
    c.domain, --? company.domain
    CASE WHEN regexp_matches(v.stage, '(?i)^(customer|evangelist)') THEN 'customer' WHEN v.stage IS NOT NULL THEN 'prospect' END AS kind,
    v.industry,
    v.country,
    CAST(TRY_CAST(v.employees AS DOUBLE) AS BIGINT) AS employees,
    TRY_CAST(v.revenue AS DOUBLE) AS annual_revenue,
    v.source AS channel,
    v.owner,
    v.parent AS parent_id
FROM version AS v JOIN company AS c USING (id)
WHERE c.deleted IS NOT TRUE AND v.since >= c.created
--! else
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM company
)
SELECT
    id AS account_id,
    created AS event_time,
    name, --? company.name
    domain, --? company.domain
    NULL::VARCHAR AS kind, --? company.stage
    industry, --? company.industry
    country, --? company.country
    employees, --? company.employees
    revenue AS annual_revenue, --? company.revenue
    source[1] AS channel, --? company.source
FROM company
WHERE deleted IS NOT TRUE
UNION ALL BY NAME
SELECT
    id AS account_id,
    moment AS event_time,
    name, --? company.name
    domain, --? company.domain
    CASE WHEN regexp_matches(stage, '(?i)^(customer|evangelist)') THEN 'customer' ELSE 'prospect' END AS kind, --? company.stage
    industry, --? company.industry
    country, --? company.country
    employees, --? company.employees
    revenue AS annual_revenue, --? company.revenue
    source[1] AS channel, --? company.source
    owner, --? company.owner
FROM company CROSS JOIN exported
WHERE deleted IS NOT TRUE
--! end
