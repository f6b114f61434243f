-- Companies, version by version.
--! only if account or account_history
--! if account_history
--! left out: deleted in Salesforce, or merged | nothing; a customer who left and was deleted is missing in what models learn from, so close them instead | (SELECT 1 FROM account_history GROUP BY id HAVING arg_max(deleted, since) OR arg_max(master, since) IS NOT NULL)
-- DECIDE: versions are those of the history table, each true from its _fivetran_start on. It begins on {{first account_history.since}}. Domain,
--   industry, country, region, employees and revenue of the first version stand for the time before it, back to the creation, as if they had
--   been so. Put NULL in their place in the first SELECT if your team fills them in late.
--! else
--! left out: deleted in Salesforce, or merged | nothing; a customer who left and was deleted is missing in what models learn from, so close them instead | account WHERE deleted OR master IS NOT NULL
-- DECIDE: there is no account_history, so this is the newest state alone: domain, industry, country, region, employees and revenue stand in the
--   first version, as if they had always been so; kind and owner are known from the last sync on. Switch on history mode.
--! end
--! if not account.created, not account_history.created
-- DECIDE: there is no created_date: a company is known from its first version or sync on, and not before.
--! end
WITH version AS (
    --! if account_history
    SELECT * FROM account_history
    WINDOW all_of AS (PARTITION BY id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    QUALIFY NOT (coalesce(last_value(deleted) OVER all_of, false) OR last_value(master) OVER all_of IS NOT NULL)
    --! else
    SELECT *, max(greatest(created, coalesce(modified, created))) OVER () + INTERVAL 1 SECOND AS since
    FROM account
    WHERE deleted IS NOT TRUE AND master IS NULL
    --! end
),
first AS (SELECT * FROM version QUALIFY row_number() OVER (PARTITION BY id ORDER BY since) = 1)
SELECT
    id AS account_id,
    created AS event_time,
    name, --? account.name or account_history.name
    website AS domain, --? account.website or account_history.website
    NULL::VARCHAR AS kind, --? account.kind or account_history.kind
    industry, --? account.industry or account_history.industry
    region, --? account.region or account_history.region
    country, --? account.country or account_history.country
    employees, --? account.employees or account_history.employees
    revenue AS annual_revenue, --? account.revenue or account_history.revenue
    source AS channel, --? account.source or account_history.source
    parent AS parent_id, --? account.parent or account_history.parent
FROM first
WHERE created < since
UNION ALL BY NAME
SELECT
    id AS account_id,
    since AS event_time,
    name, --? account.name or account_history.name
    website AS domain, --? account.website or account_history.website
    kind, --? account.kind or account_history.kind
    industry, --? account.industry or account_history.industry
    region, --? account.region or account_history.region
    country, --? account.country or account_history.country
    employees, --? account.employees or account_history.employees
    revenue AS annual_revenue, --? account.revenue or account_history.revenue
    source AS channel, --? account.source or account_history.source
    owner, --? account.owner or account_history.owner
    parent AS parent_id, --? account.parent or account_history.parent
FROM version
