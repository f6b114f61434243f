-- Leads: each as it came in, and each later version.
--! only if lead or lead_history
--! if lead_history
--! left out: deleted in Salesforce | nothing | (SELECT 1 FROM lead_history GROUP BY id HAVING arg_max(deleted, since))
-- DECIDE: versions are those of the history table, each true from its _fivetran_start on. It begins on {{first lead_history.since}}; what the
--   first version has stands for the time before it, back to the creation, but for the status, which is open then.
-- DECIDE: status words. {{words lead_history.status}}. A lead is disqualified when its word says so (not converted, unqualified, junk, lost ...).
--! else
--! left out: deleted in Salesforce | nothing | lead WHERE deleted
-- DECIDE: there is no lead_history, so this is the newest state alone: title, company, email, industry, country, employees and revenue stand in
--   the first version, as if they had always been so. Switch on history mode.
-- DECIDE: status words. {{words lead.status}}. A lead is disqualified when its word says so (not converted, unqualified, junk, lost ...), and
--   from its last change on; every other word of a lead that is not converted is known from the last change of any lead on.
--! end
-- DECIDE: a conversion is known at the end of converted_date, which is a day without a time, and not after the version or change that has it.
WITH judged AS (
    SELECT
        *,
        CASE
            WHEN converted OR (converted IS NULL AND converted_at IS NOT NULL) THEN 'converted'
            WHEN regexp_matches(status, '(?i)not.?conv|not.?qual|unqual|disqual|reject|junk|dead|lost|spam|invalid|duplicate|bad') THEN 'disqualified'
            WHEN regexp_matches(status, '(?i)open|new') THEN 'open'
            WHEN regexp_matches(status, '(?i)qualif|mql|sql|accept') THEN 'qualified'
            ELSE 'working'
        END AS word,
    FROM (
        --! if lead_history
        SELECT * FROM lead_history
        QUALIFY NOT coalesce(last_value(deleted) OVER (PARTITION BY id ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), false)
        --! else
        SELECT *, max(greatest(created, coalesce(modified, created))) OVER () + INTERVAL 1 SECOND AS since
        FROM lead
        WHERE deleted IS NOT TRUE
        --! end
    )
),
version AS (
    SELECT
        *,
        CASE
            WHEN word = 'converted' THEN coalesce(least(converted_at, modified, since), since)
            --! if not lead_history
            WHEN word = 'disqualified' THEN coalesce(modified, since)
            --! end
            ELSE since
        END AS moment,
        row_number() OVER (PARTITION BY id ORDER BY since) AS number
    FROM judged
)
SELECT
    id AS lead_id,
    created AS event_time,
    'open' AS status,
    NULL::VARCHAR AS account_id, --? lead.converted_account or lead_history.converted_account
    company, --? lead.company or lead_history.company
    title, --? lead.title or lead_history.title
    email, --? lead.email or lead_history.email
    source AS channel, --? lead.source or lead_history.source
    industry, --? lead.industry or lead_history.industry
    country, --? lead.country or lead_history.country
    employees, --? lead.employees or lead_history.employees
    revenue AS annual_revenue, --? lead.revenue or lead_history.revenue
FROM version
WHERE number = 1 AND created < moment
UNION ALL BY NAME
SELECT
    id AS lead_id,
    moment AS event_time,
    word AS status,
    CASE WHEN word = 'converted' THEN converted_account END AS account_id, --? lead.converted_account or lead_history.converted_account
    company, --? lead.company or lead_history.company
    title, --? lead.title or lead_history.title
    email, --? lead.email or lead_history.email
    source AS channel, --? lead.source or lead_history.source
    industry, --? lead.industry or lead_history.industry
    country, --? lead.country or lead_history.country
    employees, --? lead.employees or lead_history.employees
    revenue AS annual_revenue, --? lead.revenue or lead_history.revenue
    owner, --? lead.owner or lead_history.owner
FROM version
