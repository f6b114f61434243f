-- Invoices: issued, and once more when they were paid or voided.
--! needs transaction
--! only if transaction.total or line.net or line.amount
--! left out: deleted in NetSuite | nothing | transaction WHERE deleted AND kind IN ('CustInvc', 'INV')
--! left out: no customer or no amount | correct them in NetSuite, or sync transaction_line | (SELECT t.id FROM transaction AS t LEFT JOIN line AS l ON l.transaction = t.id AND l.main WHERE t.kind IN ('CustInvc', 'INV') AND t.deleted IS NOT TRUE GROUP BY t.id HAVING coalesce(any_value(t.entity), any_value(l.entity)) IS NULL OR coalesce(any_value(t.total), any_value(l.net), any_value(l.amount)) IS NULL)
-- DECIDE: an invoice is issued on its transaction date, and known when it was entered. Statuses: {{words transaction.status}}; B is paid in full, V is void.
-- DECIDE: an invoice is paid on its close date (a day counts once it is over). Whether a payment was refused NetSuite does not say.
-- DECIDE: credit memos are not taken off: a credited invoice counts as paid when it was applied.
WITH sum_of AS (
    SELECT transaction AS id, abs(sum(coalesce(net, amount))) AS total, any_value(entity) AS entity FROM line WHERE main AND deleted IS NOT TRUE GROUP BY 1
),
bill AS (
    SELECT
        t.*,
        coalesce(t.entity, s.entity) AS company,
        coalesce(abs(t.total) * coalesce(t.rate, 1), s.total) AS amount,
        max(coalesce(t.synced, t.created, t.day)) OVER () AS moment
    FROM transaction AS t LEFT JOIN sum_of AS s USING (id)
    WHERE t.kind IN ('CustInvc', 'INV') AND t.deleted IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY t.id ORDER BY coalesce(t.active, true) DESC) = 1
),
event AS (
    SELECT *, day AS since, greatest(day, created) AS known, 'open' AS word FROM bill
    UNION ALL
    SELECT *, greatest(coalesce(closed, moment), day + INTERVAL 1 SECOND), greatest(coalesce(closed, moment), created), 'paid'
    FROM bill WHERE (status IN ('B', 'Paid In Full', 'CustInvc:B') OR closed IS NOT NULL) AND voided IS NOT TRUE AND status IS DISTINCT FROM 'V'
    UNION ALL
    SELECT *, greatest(coalesce(closed, moment), day + INTERVAL 1 SECOND), greatest(coalesce(closed, moment), created), 'void'
    FROM bill WHERE voided OR status IN ('V', 'CustInvc:V')
)
SELECT id AS invoice_id, company AS account_id, since AS event_time, known AS known_time, word AS status, amount,
    due AS due_time, --? transaction.due
FROM event
WHERE company IS NOT NULL AND amount IS NOT NULL
