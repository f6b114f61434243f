-- Calls, mails, meetings, forms and marketing mails of contacts.
--! only if call or mail or meeting or email_event or form
--! left out: of no contact and no company | nothing, or associate them in HubSpot | (SELECT engagement FROM call UNION ALL SELECT engagement FROM mail UNION ALL SELECT engagement FROM meeting) AS e WHERE engagement NOT IN (SELECT engagement FROM engagement_contact) AND engagement NOT IN (SELECT engagement FROM engagement_company)
-- DECIDE: an engagement counts once for each contact that it is associated with, and is known from the moment on at which it was entered.
--! if email_event
-- DECIDE: opens that HubSpot filtered out (robots) are left out. The recipient of a mail is found by its address.
--! end
WITH engaged AS (
    SELECT engagement, happened, greatest(happened, created) AS known, 'call' AS kind, CASE WHEN regexp_matches(direction, '(?i)in') THEN 'in' ELSE 'out' END AS direction, deleted FROM call
    UNION ALL
    SELECT engagement, happened, greatest(happened, created), CASE WHEN regexp_matches(direction, '(?i)incoming') THEN 'email_reply' ELSE 'email_sent' END, CASE WHEN regexp_matches(direction, '(?i)incoming') THEN 'in' ELSE 'out' END, deleted FROM mail
    UNION ALL
    SELECT engagement, happened, greatest(happened, created), 'meeting', 'out', deleted FROM meeting
),
of_person AS (
    SELECT e.happened, e.known, e.kind, e.direction, p.contact, c.company
    FROM engaged AS e
    LEFT JOIN engagement_contact AS p USING (engagement)
    LEFT JOIN (SELECT engagement, min(company) AS company FROM engagement_company GROUP BY 1) AS c USING (engagement)
    WHERE e.deleted IS NOT TRUE AND e.happened IS NOT NULL AND (p.contact IS NOT NULL OR c.company IS NOT NULL)
    UNION ALL
    SELECT happened, happened, 'form_fill', 'in', contact, NULL FROM form
    UNION ALL
    SELECT
        m.created,
        m.created,
        CASE m.kind WHEN 'OPEN' THEN 'email_open' WHEN 'CLICK' THEN 'email_click' ELSE 'email_sent' END,
        CASE m.kind WHEN 'SENT' THEN 'out' ELSE 'in' END,
        c.id,
        NULL
    FROM email_event AS m JOIN contact AS c ON lower(c.email) = lower(m.recipient)
    WHERE m.kind IN ('SENT', 'OPEN', 'CLICK') AND m.filtered IS NOT TRUE
)
SELECT
    t.happened AS event_time,
    t.known AS known_time,
    t.kind,
    coalesce(m.kept, t.contact) AS lead_id,
    coalesce(m.kept, t.contact) AS contact_id,
    coalesce(t.company, c.companies[1]) AS account_id,
    t.direction
FROM of_person AS t
LEFT JOIN contact_merge AS m ON m.merged = t.contact
LEFT JOIN contact AS c ON c.id = coalesce(m.kept, t.contact)
