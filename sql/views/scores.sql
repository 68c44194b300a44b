-- One score a sample and metric: the newest version of its scorer, and of that version a value before a NULL.
CREATE OR REPLACE VIEW scores AS
SELECT * FROM all_scores
QUALIFY row_number() OVER (
    PARTITION BY run_id, sample_id, metric
    ORDER BY scorer_version DESC, value IS NULL, scorer
) = 1;
