-- Subscriptions: trial, start, each change of what they bring, notice and end.
--! needs subscription
--! left out: never begun (incomplete), or of test mode | nothing | subscription WHERE regexp_matches(status, 'incomplete') OR NOT coalesce(live, true)
-- DECIDE: an amount is in the smallest unit of its currency: cents, but yen and won have none. Several currencies are added up as if they were one.
--! if line.subscription
-- DECIDE: what a subscription brings is read from the lines of its invoices: amount a month of each period, from the day on at which it began, without
--   prorations, discounts that are lines of their own, and taxes. A subscription without such a line has the price of its items from the start on.
--! else
-- DECIDE: there are no invoice lines: what a subscription brings is the newest price and quantity of its items, from the start on, as if it had never
--   changed. An upgrade before today is not seen, and today's seats know it. Sync invoice_line_item.
--! end
-- DECIDE: a customer gives notice on canceled_at, and leaves on ended_at. A subscription that is past due or unpaid goes on until Stripe ends it.
--! if not item, not subscription.plan
-- DECIDE: there are neither items nor a plan of a subscription: without a line it brings nothing.
--! end
WITH newest AS (
    SELECT * FROM subscription
    WHERE NOT coalesce(regexp_matches(status, 'incomplete'), false) AND coalesce(live, true)
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY coalesce(active, true) DESC, coalesce(since, synced) DESC) = 1
),
price_of AS (
    SELECT
        id,
        amount / CASE
            WHEN upper(currency) IN ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 1
            WHEN upper(currency) IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') THEN 1000
            ELSE 100
        END
        / CASE "interval" WHEN 'year' THEN 12 WHEN 'week' THEN 12 / 52.0 WHEN 'day' THEN 12 / 365.0 ELSE 1 END
        / coalesce(count, 1) AS month,
        name,
        product
    FROM (SELECT * FROM price UNION ALL BY NAME SELECT * FROM plan WHERE id NOT IN (SELECT id FROM price))
),
part AS (
    SELECT subscription AS id, plan, coalesce(quantity, 1) AS quantity FROM item
    UNION ALL
    SELECT id, plan, coalesce(quantity, 1) FROM newest WHERE plan IS NOT NULL AND id NOT IN (SELECT subscription FROM item)
),
worth AS (
    SELECT t.id, sum(t.quantity * coalesce(p.month, 0)) AS mrr, sum(t.quantity) AS seats, min(coalesce(p.name, t.plan)) AS plan, min(g.name) AS product
    FROM part AS t LEFT JOIN price_of AS p ON p.id = t.plan LEFT JOIN product AS g ON g.id = p.product
    GROUP BY 1
),
period AS (
    SELECT
        subscription AS id,
        begins,
        sum(amount / CASE
            WHEN upper(currency) IN ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 1
            WHEN upper(currency) IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') THEN 1000
            ELSE 100
        END / greatest(1, round(date_diff('day', begins, ends) / 30.4375))) AS mrr,
        sum(quantity) AS seats,
        max(ends) AS ends
    FROM line
    WHERE subscription IS NOT NULL AND proration IS NOT TRUE AND coalesce(live, true) AND ends > begins
    GROUP BY 1, 2
),
change AS (
    SELECT id, started AS since, CASE WHEN trial_end > started THEN 'trial' ELSE 'active' END AS status, NULL::DOUBLE AS mrr, NULL::DOUBLE AS seats, NULL::TIMESTAMP AS term_end FROM newest
    UNION ALL
    SELECT id, trial_end, 'active', NULL, NULL, NULL FROM newest WHERE trial_end > started AND (ended_at IS NULL OR ended_at > trial_end) AND status <> 'trialing'
    UNION ALL
    SELECT p.id, greatest(p.begins, n.started), NULL, p.mrr, p.seats, p.ends FROM period AS p JOIN newest AS n USING (id) WHERE n.ended_at IS NULL OR p.begins < n.ended_at
    UNION ALL
    SELECT id, greatest(canceled_at, started), 'notice', NULL, NULL, NULL FROM newest WHERE canceled_at IS NOT NULL AND (ended_at IS NULL OR canceled_at < ended_at)
    UNION ALL
    SELECT id, greatest(ended_at, started), 'ended', NULL, NULL, NULL FROM newest WHERE ended_at IS NOT NULL
),
once AS (
    SELECT id, since, max_by(status, CASE status WHEN 'ended' THEN 3 WHEN 'notice' THEN 2 WHEN 'active' THEN 1 ELSE 0 END) AS status, max(mrr) AS mrr, max(seats) AS seats, max(term_end) AS term_end
    FROM change GROUP BY 1, 2
),
version AS (
    SELECT
        id,
        since,
        last_value(status IGNORE NULLS) OVER w AS status,
        last_value(mrr IGNORE NULLS) OVER w AS mrr,
        last_value(seats IGNORE NULLS) OVER w AS seats,
        last_value(term_end IGNORE NULLS) OVER w AS term_end
    FROM once
    WINDOW w AS (PARTITION BY id ORDER BY since)
)
SELECT
    v.id AS subscription_id,
    n.customer AS account_id,
    v.since AS event_time,
    v.status,
    CASE WHEN v.status IN ('trial', 'ended') THEN 0 ELSE coalesce(v.mrr, CASE WHEN v.id NOT IN (SELECT id FROM period) THEN w.mrr END, 0) END AS mrr,
    w.plan,
    w.product,
    CAST(coalesce(v.seats, CASE WHEN v.id NOT IN (SELECT id FROM period) THEN w.seats END) AS BIGINT) AS seats,
    v.term_end
FROM version AS v JOIN newest AS n USING (id) LEFT JOIN worth AS w USING (id)
