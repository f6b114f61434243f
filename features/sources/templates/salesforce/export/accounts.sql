-- Companies: each as it was created, and once more as this export has it.
-- DECIDE: domain, industry, country, region, employees and revenue are the newest values, and stand in the first version, as if they had
--   always been so. Where your team fills them in once a deal is near, they know the outcome (`features audit` looks for it). Then put NULL
--   in their place in the first SELECT: they count from the day of the export on.
-- DECIDE: kind, owner and your own columns are known from the export on alone, because nobody knows what they were before. A model learns
--   nothing from them until exports are kept as versions or a history is there.
--! needs account
--! left out: deleted in Salesforce | nothing; a customer who left and was deleted is missing in what models learn from, so close them instead | account WHERE deleted AND master IS NULL
--! left out: merged into another account | nothing: what belongs to them is counted for the account that is left | account WHERE master IS NOT NULL
--! if account.deleted
-- DECIDE: {{count account WHERE deleted AND master IS NULL}} deleted accounts are left out. A customer who left and was deleted then never left, for a model.
--! end
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM account
)
SELECT
    id AS account_id,
    created AS event_time,
    name, --? account.name
    website AS domain, --? account.website
    NULL::VARCHAR AS kind, --? account.kind
    industry, --? account.industry
    region, --? account.region
    country, --? account.country
    employees, --? account.employees
    revenue AS annual_revenue, --? account.revenue
    source AS channel, --? account.source
    partners[1] AS partner, --? account.partners
    parent AS parent_id, --? account.parent
FROM account
WHERE master IS NULL AND deleted IS NOT TRUE
UNION ALL BY NAME
SELECT
    id AS account_id,
    moment AS event_time,
    name, --? account.name
    website AS domain, --? account.website
    kind, --? account.kind
    industry, --? account.industry
    region, --? account.region
    country, --? account.country
    employees, --? account.employees
    revenue AS annual_revenue, --? account.revenue
    source AS channel, --? account.source
    partners[1] AS partner, --? account.partners
    owner, --? account.owner
    parent AS parent_id, --? account.parent
    tier AS target_tier, --? account.tier
    {{own account}}
FROM account CROSS JOIN exported
WHERE master IS NULL AND deleted IS NOT TRUE
