-- Invoices: issued, failed, paid or void, each on its day.
--! needs invoice
--! left out: deleted drafts, zero, or of test mode | nothing | invoice WHERE deleted OR status = 'draft' OR total IS NULL OR NOT coalesce(live, true)
-- DECIDE: an invoice is issued when it was finalized; without that date when it was created, or its period ended. {{words invoice.status}}.
--! if not invoice.paid_at
-- DECIDE: there is no day of payment: an invoice is paid on the day of its charge, else it is known to be paid from the last sync on alone.
--! end
WITH bill AS (
    SELECT
        *,
        total / CASE
            WHEN upper(currency) IN ('BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 1
            WHEN upper(currency) IN ('BHD', 'JOD', 'KWD', 'OMR', 'TND') THEN 1000
            ELSE 100
        END AS amount
    FROM invoice
    WHERE deleted IS NOT TRUE AND coalesce(status, '') <> 'draft' AND total IS NOT NULL AND coalesce(live, true)
),
exported AS (SELECT max(greatest(created, coalesce(synced, created))) + INTERVAL 1 SECOND AS moment FROM bill),
tried AS (SELECT invoice AS id, created, status FROM charge WHERE invoice IS NOT NULL),
event AS (
    SELECT id, created AS since, 'open' AS status FROM bill
    UNION ALL
    SELECT b.id, t.created, 'failed' FROM bill AS b JOIN tried AS t USING (id) WHERE t.status = 'failed'
    UNION ALL
    SELECT
        b.id,
        coalesce(b.paid_at, (SELECT min(t.created) FROM tried AS t WHERE t.id = b.id AND t.status = 'succeeded'), e.moment),
        'paid'
    FROM bill AS b CROSS JOIN exported AS e WHERE b.status = 'paid' OR b.paid_at IS NOT NULL
    UNION ALL
    SELECT b.id, coalesce(b.voided_at, e.moment), 'void' FROM bill AS b CROSS JOIN exported AS e WHERE b.status = 'void' OR b.voided_at IS NOT NULL
    UNION ALL
    SELECT b.id, coalesce(b.uncollectible_at, e.moment), 'failed' FROM bill AS b CROSS JOIN exported AS e WHERE b.status = 'uncollectible' OR b.uncollectible_at IS NOT NULL
)
SELECT
    b.id AS invoice_id,
    b.customer AS account_id,
    CASE e.status WHEN 'open' THEN b.created ELSE greatest(e.since, b.created + INTERVAL 1 SECOND) END AS event_time,
    e.status,
    b.amount,
    b.due AS due_time, --? invoice.due
FROM event AS e JOIN bill AS b USING (id)
