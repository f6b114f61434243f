-- Customers: each as it was entered, and as of the last sync.
--! needs customer
--! left out: deleted in NetSuite | nothing | customer WHERE deleted
--! if customer.since
-- DECIDE: name, domain, country and parent are the newest ones, from the creation on; the sales representative is known from the last sync on alone.
--! end
-- DECIDE: the domain is that of the website, else of the mail address, unless it is of a free mail provider.
-- DECIDE: inactive customers are kept: who is inactive today was a customer before, and most of those who left are.
WITH newest AS (
    SELECT * FROM customer WHERE deleted IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY coalesce(active, true) DESC, since DESC) = 1
),
exported AS (SELECT max(greatest(created, since)) + INTERVAL 1 SECOND AS moment FROM newest),
account AS (
    SELECT
        n.*,
        coalesce(n.website, CASE
            WHEN NOT regexp_matches(lower(n.email), '@(gmail|googlemail|yahoo|hotmail|outlook|live|icloud|me|aol|gmx|web|mail|proton|protonmail|qq|163|126)\.')
            THEN lower(split_part(n.email, '@', 2))
        END) AS domain,
        a.country
    FROM newest AS n LEFT JOIN (SELECT id, min(country) AS country FROM address GROUP BY 1) AS a ON a.id = n.address
)
SELECT id AS account_id, created AS event_time, coalesce(name, other_name) AS name, domain, country, parent AS parent_id, NULL::VARCHAR AS owner
FROM account
UNION ALL BY NAME
SELECT id AS account_id, moment AS event_time, coalesce(name, other_name) AS name, domain, country, parent AS parent_id, salesrep AS owner
FROM account CROSS JOIN exported
