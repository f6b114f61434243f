-- A snapshot: whether a lead converted is known, when is not.
SELECT "Lead Number" AS lead_id, NULL::TIMESTAMP AS event_time, "Converted" = 1 AS converted
FROM read_csv('${data}/Leads.csv.gz', sample_size = -1)
