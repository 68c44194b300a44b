-- One score a sample and metric: the newest version of its scorer, and of that version a value before a NULL.
-- newest_scores: the same of some of the rows of `all_scores`, by the name of a table expression that holds them.
CREATE OR REPLACE MACRO newest_scores(rows) AS TABLE
SELECT * FROM query_table(rows)
QUALIFY row_number() OVER (
    PARTITION BY run_id, sample_id, metric
    ORDER BY scorer_version DESC, value IS NULL, scorer
) = 1;
CREATE OR REPLACE VIEW scores AS FROM newest_scores('all_scores');
