-- What is only settled while a ticket is worked on (first answer, escalation, rating) is known when it closes.
SELECT
    ticket_id, account_id, CAST(submitted_at AS TIMESTAMP) AS event_time, 'open' AS status, priority,
    NULL::BOOLEAN AS escalated, NULL::BIGINT AS first_response_minutes, NULL::BIGINT AS satisfaction
FROM read_csv('${data}/ravenstack_support_tickets.csv', sample_size = -1)
UNION ALL
SELECT
    ticket_id, account_id, CAST(closed_at AS TIMESTAMP), 'closed', priority,
    escalation_flag, CAST(first_response_time_minutes AS BIGINT), CAST(satisfaction_score AS BIGINT)
FROM read_csv('${data}/ravenstack_support_tickets.csv', sample_size = -1)
WHERE closed_at IS NOT NULL
