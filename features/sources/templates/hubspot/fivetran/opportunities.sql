-- Deals: each as it was created, one version per stage that it came to, or as of the last sync where stages have no history.
--! needs deal
--! left out: deleted in HubSpot | nothing | deal WHERE deleted
--! left out: merged into another deal | nothing | deal WHERE id IN (SELECT merged FROM merged_deal)
-- DECIDE: a stage is won or lost by closed_won, is_closed and the label in deal_pipeline_stage; a closed stage that is not won is lost.
--! if deal_stage
-- DECIDE: stages are dated by deal_stage, which begins on {{first deal_stage.entered}}.
--! else
-- DECIDE: there is no deal_stage: a deal is closed on its close date, and everything else of its stage is known from the last sync on. Sync that table.
--! end
--! if deal_history
-- DECIDE: amounts are read from deal_property_history, each from the moment on at which it was set.
--! else
-- DECIDE: there is no deal_property_history: the amount of a deal is the newest one, and known from its close or the last sync on alone.
--! end
-- DECIDE: a deal belongs to the company and the contact with the smallest id of those that it is associated with.
WITH exported AS (
    SELECT max(greatest(created, coalesce(modified, created))) + INTERVAL 1 SECOND AS moment FROM deal
),
word AS (
    SELECT
        id,
        label,
        CASE
            WHEN won OR probability = 1 OR regexp_matches(coalesce(label, id), '(?i)\bwon\b|closedwon') THEN 'won'
            WHEN closed OR regexp_matches(coalesce(label, id), '(?i)\blost\b|closedlost') THEN 'lost'
            ELSE 'open'
        END AS status
    FROM (SELECT id, label, won, closed, probability FROM stage UNION ALL BY NAME SELECT DISTINCT stage AS id FROM deal WHERE stage NOT IN (SELECT id FROM stage))
),
kept AS (SELECT * FROM deal WHERE deleted IS NOT TRUE AND id NOT IN (SELECT merged FROM merged_deal)),
happened AS (
    SELECT id, created AS since, 'not known' AS stage, 'open' AS status, NULL::DOUBLE AS amount FROM kept
    --! if deal_stage
    UNION ALL
    SELECT d.id, greatest(s.entered, d.created + INTERVAL 1 SECOND), coalesce(w.label, s.stage), coalesce(w.status, 'open'), NULL
    FROM kept AS d JOIN deal_stage AS s ON s.deal = d.id LEFT JOIN word AS w ON w.id = s.stage
    --! end
    UNION ALL
    SELECT
        d.id,
        greatest(
            CASE WHEN w.status IN ('won', 'lost') THEN coalesce(CASE w.status WHEN 'won' THEN d.won_at ELSE d.lost_at END, d.close_date, e.moment) ELSE e.moment END,
            d.created + INTERVAL 1 SECOND
        ),
        coalesce(w.label, d.stage, 'not known'),
        coalesce(w.status, 'open'),
        d.amount
    FROM kept AS d LEFT JOIN word AS w ON w.id = d.stage CROSS JOIN exported AS e
    --! if deal_stage
    WHERE d.id NOT IN (SELECT deal FROM deal_stage)
    --! end
    --! if deal_history
    UNION ALL
    SELECT d.id, greatest(h.changed, d.created + INTERVAL 1 SECOND), NULL, NULL, TRY_CAST(h.value AS DOUBLE)
    FROM kept AS d JOIN deal_history AS h ON h.deal = d.id WHERE lower(h.property) = 'amount'
    --! end
),
version AS (
    SELECT
        id,
        since,
        last_value(stage IGNORE NULLS) OVER w AS stage,
        last_value(status IGNORE NULLS) OVER w AS status,
        last_value(amount IGNORE NULLS) OVER w AS amount
    FROM (SELECT id, since, max(stage) AS stage, max(status) AS status, max(amount) AS amount FROM happened GROUP BY 1, 2)
    WINDOW w AS (PARTITION BY id ORDER BY since)
)
SELECT
    v.id AS opportunity_id,
    v.since AS event_time,
    c.company AS account_id,
    p.contact AS lead_id,
    v.stage,
    v.status,
    d.kind, --? deal.kind
    v.amount
FROM version AS v
JOIN kept AS d USING (id)
LEFT JOIN (SELECT deal, min(company) AS company FROM deal_company GROUP BY 1) AS c ON c.deal = v.id
LEFT JOIN (SELECT deal, min(coalesce(kept, contact)) AS contact FROM deal_contact LEFT JOIN contact_merge ON merged = contact GROUP BY 1) AS p ON p.deal = v.id
