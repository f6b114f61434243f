-- Calls, mails and meetings: tasks that are done, and events.
--! needs task
--! left out: not done (yet) | nothing: a planned call is no touch | task WHERE NOT (coalesce(done, false) OR coalesce(regexp_matches(status, '(?i)complet|done|closed'), done IS NULL)) AND deleted IS NOT TRUE
--! left out: deleted in Salesforce | nothing | task WHERE deleted
--! left out: about no lead, person or company | nothing, or relate them in Salesforce | task WHERE who IS NULL AND what IS NULL AND account IS NULL
-- DECIDE: the kind of a task is read from its type, else from its subject. {{words task.subject}}. A demo counts as a meeting, 'Email' as one
--   that you sent; what is none of the words below keeps its subject, and no signal counts it.
-- DECIDE: a task happened when it was completed, else on its due date if it is done, and is known from the day on which it was entered.
--! if lead.converted_contact
-- DECIDE: Salesforce moves the tasks of a lead to its contact when it is converted. They are counted for the lead, too, up to then: otherwise
--   a lead without tasks would be one that was converted.
--! else
-- DECIDE: Salesforce moves the tasks of a lead to its contact when it is converted, and the leads of these files do not say to which. So leads
--   without tasks may be converted ones, and a model would learn that. Export ConvertedContactId of leads.
--! end
WITH act AS (
    SELECT
        who, what, account, deleted,
        greatest(created, coalesce(completed, least(day, modified), day, created)) AS known,
        coalesce(completed, CASE WHEN day::DATE = created::DATE THEN created ELSE least(day, modified) END, day, created) AS happened,
        coalesce(kind, subtype, subject) AS told,
        call_kind
    FROM task
    WHERE coalesce(done, false) OR coalesce(regexp_matches(status, '(?i)complet|done|closed'), done IS NULL)
    --! if meeting
    UNION ALL
    SELECT who, what, account, deleted, greatest(created, starts), starts, 'meeting', NULL FROM meeting
    --! end
),
placed AS (
    SELECT
        a.*,
        coalesce(CASE WHEN a.who LIKE '00Q%' THEN a.who END, CASE WHEN l.converted_at IS NULL OR a.happened < l.converted_at THEN l.id END) AS lead,
        CASE WHEN a.who LIKE '003%' THEN a.who END AS contact,
        coalesce(a.account, CASE WHEN a.what LIKE '001%' THEN a.what END, o.account, c.account) AS company
    FROM act AS a
    LEFT JOIN contact AS c ON c.id = a.who
    LEFT JOIN opportunity AS o ON o.id = a.what
    LEFT JOIN (SELECT converted_contact, min(id) AS id, min(converted_at) AS converted_at FROM lead GROUP BY 1) AS l ON l.converted_contact = a.who
    WHERE a.deleted IS NOT TRUE AND (a.who IS NOT NULL OR a.what IS NOT NULL OR a.account IS NOT NULL)
)
SELECT
    happened AS event_time,
    known AS known_time,
    CASE
        WHEN regexp_matches(told, '(?i)\b(re:|reply|replied|inbound e?mail|email received)') THEN 'email_reply'
        WHEN regexp_matches(told, '(?i)e-?mail|\bmail\b') THEN 'email_sent'
        WHEN regexp_matches(told, '(?i)webinar') THEN 'webinar'
        WHEN regexp_matches(told, '(?i)demo request|request.*demo') THEN 'demo_request'
        WHEN regexp_matches(told, '(?i)meeting|demo|appointment|onsite|on-site|visit|presentation|workshop|lunch') THEN 'meeting'
        WHEN regexp_matches(told, '(?i)call|phone|voicemail|\bvm\b') THEN 'call'
        ELSE coalesce(told, 'task')
    END AS kind,
    company AS account_id,
    lead AS lead_id,
    contact AS contact_id,
    CASE WHEN regexp_matches(call_kind, '(?i)inbound') OR regexp_matches(told, '(?i)inbound|re:|repl') THEN 'in' ELSE 'out' END AS direction
FROM placed
